"""What rows amount to, by hand."""

from dataclasses import replace

import pytest
from support.results import row

from ptp_core.benchmark.rows import Call
from ptp_core.benchmark.rows_file import row_from_dict
from ptp_core.benchmark.summary import summarise, summarise_points
from ptp_core.benchmark.tables import markdown_table, speed_notes
from ptp_core.speedup import CHANGED


def test_rows_without_times_have_counts_and_no_speed():
    rows = [row("1", "ar", 10, 1.0), row("1", "pqd", 10, 0.0, 5), row("2", "pqd", 10, 1.0, 5)]
    figures = summarise(rows)
    assert figures["pqd"]["tokens_per_call"] == 2 and figures["pqd"]["ms_per_token"] is None
    alone = summarise(rows[:2])
    assert alone["pqd"]["speedup_vs_ar"] is None and alone["ar"]["ms_per_token"] == 100
    assert "| pqd | 2.00 | – | – | – | – |" in markdown_table(alone)
    untimed = replace(rows[0], seconds=0.0, calls=[Call(0, 1, 0.0, 1)])
    assert row_from_dict(untimed.to_dict()) == untimed


def test_figures_by_hand():
    rows = [
        row("1", "ar", 10, 1.0), row("2", "ar", 20, 2.0),
        row("1", "pqd", 10, 0.5, 5, [(3, 2), (4, 1)]), row("2", "pqd", 20, 1.5, 10, [(1, 1)], same=False),
        row("1", "hf_generate", 30, 6.0, same=None), row("2", "hf_generate", 10, 2.0, same=None),
    ]  # fmt: skip
    figures = summarise(rows)["pqd"]
    assert figures["tokens_per_call"] == 2
    assert figures["mean_accepted_length"] == pytest.approx(1 + 4 / 3)
    assert figures["acceptance_rate"] == 0.5
    assert figures["num_drafted"] == 8
    assert figures["ms_per_token"] == pytest.approx(2000 / 30)
    assert figures["ms_per_token_median"] == pytest.approx((50 + 75) / 2)
    assert figures["speedup_vs_ar"] == pytest.approx(1.5)
    assert figures["speedup_vs_hf"] == pytest.approx(3.0)
    assert figures["speedup_after_prompt"] == pytest.approx((2.8 / 28) / (1.8 / 28))
    assert figures["identical_to_ar"] == [1, 2]
    assert figures["divergences"] == [{"question_id": "2", "position": None, "margin": None, "gap": None}]


def test_speed_ups_compare_the_same_questions():
    rows = [row("1", "ar", 10, 1.0), row("2", "ar", 10, 9.0), row("1", "pqd", 10, 0.5, 5)]
    assert summarise(rows)["pqd"]["speedup_vs_ar"] == 2.0  # a run that was stopped: question 2 does not count


def test_points_have_the_baseline_of_their_own_temperature():
    rows = [
        row("1", "ar", 10, 1.0), row("1", "pqd", 10, 0.5, 5, point="draft_budget=4"),
        row("1", "ar", 10, 2.0, point="temperature=1.0"), row("1", "pqd", 10, 0.5, 2, point="temperature=1.0"),
    ]  # fmt: skip
    points = summarise_points(rows)
    assert points["draft_budget=4"]["pqd"]["speedup_vs_ar"] == 2.0
    assert points["temperature=1.0"]["pqd"]["speedup_vs_ar"] == 4.0


def test_times_that_cannot_be_give_no_speed_up():
    """Seen beside another process: 2.69 times as fast at one token per call."""
    rows = [row("1", "ar", 10, 2.69), row("2", "ar", 10, 2.69), row("1", "pqd", 10, 1.0), row("2", "pqd", 10, 1.0)]
    figures = summarise(rows)["pqd"]
    assert figures["tokens_per_call"] == 1 and figures["ms_per_token"] == 100
    names = [name for name in figures if name.startswith("speedup_") and name != "speedup_note"]
    assert len(names) == 5 and {figures[name] for name in names} == {None}
    assert figures["by_category"]["x"]["speedup_vs_ar"] is None
    assert speed_notes({"pqd": figures}) == [f"pqd: {CHANGED}"]
    assert "| pqd | 1.00 | – | – | 100.0 | – | – |" in markdown_table({"pqd": figures})
    assert summarise(rows)["ar"]["speedup_vs_ar"] == 1


def test_answers_whose_tries_differ_are_left_out_of_the_speed_up():
    steady, uneven = {"tries": [1.0, 1.1, 1.2]}, {"tries": [1.0, 1.2, 3.0]}
    rows = [row(str(i), "ar", 10, 1.0) for i in range(3)] + [row(str(i), "pqd", 10, 0.8, 5) for i in range(3)]
    one = [*rows[:3], replace(rows[3], **steady), replace(rows[4], seconds=0.1, **uneven), rows[5]]
    figures = summarise(one)["pqd"]
    assert figures["speedup_vs_ar"] == pytest.approx(1.25) and figures["num_unsteady"] == 1
    assert speed_notes({"pqd": figures})[0].startswith("pqd: 1 of 3 answers took very different times")
    most = [*rows[:3], replace(rows[3], **uneven), replace(rows[4], **uneven), rows[5]]
    assert summarise(most)["pqd"]["speedup_note"] == CHANGED
    base = [replace(rows[0], **uneven), replace(rows[1], **uneven), *rows[2:]]
    assert summarise(base)["pqd"]["speedup_vs_ar"] is None, "the baseline's tries count as well"
