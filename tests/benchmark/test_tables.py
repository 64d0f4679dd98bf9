"""Tables, and their place in a text."""

import pytest
from support.results import row

from ptp_core.benchmark.summary import csv_text, summarise
from ptp_core.benchmark.tables import category_table, markdown_table, replaced


def test_tables_have_a_row_per_method():
    rows = [
        row("1", "ar", 10, 1.0), row("2", "ar", 10, 1.0), row("1", "hf_generate", 10, 2.0, same=None),
        row("1", "pqd", 10, 0.55, 5, [(2, 1)]), row("2", "pqd", 10, 0.5, 5, [(2, 1)]),
    ]  # fmt: skip
    lines = markdown_table(summarise(rows)).splitlines()
    assert len(lines) == 5
    assert lines[3] == "| hf_generate | 1.00 | – | – | 200.0 | 0.50 | 1.00 | – | – |"
    assert lines[4].startswith("| pqd | 2.00 | 2.00 | 50 % | 52.5 | 1.90 (1.82 to 2.00) | 3.64 | 2 of 2 | – |")
    assert category_table(summarise(rows), ("pqd",)).splitlines()[2].startswith("| x | pqd | 2.00 |")
    lines = csv_text(rows).splitlines()
    assert len(lines) == 6
    assert lines[4].startswith("1,x,pqd,,0,10,5,2.0,2.0,0.5,0.55,55.0,True")


def test_tables_stand_between_markers():
    text = "before\n<!-- figures -->\nold\n| x |\n<!-- end of figures -->\nafter\n"
    assert replaced(text, "new \\1", "f") == "before\n<!-- figures -->\nnew \\1\n<!-- end of figures -->\nafter\n"
    for damaged in ("no markers", text + text):
        with pytest.raises(ValueError, match="markers"):
            replaced(damaged, "new", "f")
