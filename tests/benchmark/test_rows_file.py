"""Rows on disk: a stopped run goes on, and rows of other settings do not mix."""

import json
from dataclasses import replace

import pytest
from support.bench import QUESTIONS, SHORT

from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.environment import environment
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows_file import MixedSettings, RowsFile
from ptp_core.benchmark.runner import Lineup, iter_bench, run_bench


def counts(rows):
    """What must not change from run to run: everything but times."""
    return [
        replace(r, seconds=0.0, tries=[], peak_memory_mb=None, calls=[replace(c, ms=0.0) for c in r.calls])
        for r in sorted(rows, key=lambda r: (r.question_id, r.method, r.point))
    ]


def test_results_that_know_no_rule_were_made_by_pick(make_model, tmp_path):
    model, config = make_model(), BenchConfig(("ar", "independent"), max_new_tokens=6, draft_budget=4)
    result = BenchResult(environment(model), config, QUESTIONS[:1], run_bench(Lineup(model), QUESTIONS[:1], config))
    older = json.loads(json.dumps(result.to_dict()))
    del older["config"]["draft_rule"]
    for row in older["rows"]:
        del row["draft_rule"]
    read = BenchResult.from_dict(older)
    assert (read.config.draft_rule, [r.draft_rule for r in read.rows]) == ("pick", ["", "pick"])
    assert result.config.draft_rule == "argmax"


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_stopped_run_goes_on_from_its_rows(make_model, tmp_path, repeats):
    lineup, file, config = Lineup(make_model()), tmp_path / "rows.jsonl", replace(SHORT, repeats=repeats)
    whole = run_bench(lineup, QUESTIONS, config)
    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        return calls > 40 * repeats  # in the middle of an answer, which is dropped

    first = [p.row for p in iter_bench(lineup, QUESTIONS, config, file, stop) if p.row]
    assert 0 < len(first) < 8
    with file.open("a") as f:
        f.write('{"question_id": "3", "cat')  # a kill in the middle of a line
    again = list(iter_bench(lineup, QUESTIONS, config, file))
    assert [p.row for p in again][: len(first)] == first
    assert counts([p.row for p in again if p.row]) == counts(whole)
    assert all(p.row for p in iter_bench(lineup, QUESTIONS, config, file))  # nothing is left to run


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"temperature": 1.0}, "config.temperature 0.7 instead of 1.0"),
        ({"draft_budget": 9}, "config.draft_budget 4 instead of 9"),
        ({"seed": 5}, "config.seed 0 instead of 5"),
    ],
)
def test_rows_of_other_settings_are_refused_and_kept(make_model, tmp_path, change, names):
    lineup, file = Lineup(make_model()), tmp_path / "rows.jsonl"
    run_bench(lineup, QUESTIONS[:1], SHORT, file)
    before = file.read_text()
    with pytest.raises(MixedSettings, match="2 rows of a run with other settings") as error:
        run_bench(lineup, QUESTIONS[:1], replace(SHORT, **change), file)
    assert names in str(error.value)
    assert file.read_text() == before


def test_another_adapter_or_other_questions_do_not_mix_either(make_model, tmp_path):
    file = tmp_path / "rows.jsonl"
    run_bench(Lineup(make_model()), QUESTIONS[:1], SHORT, file)
    with pytest.raises(MixedSettings, match="questions"):
        run_bench(Lineup(make_model()), QUESTIONS[:2], SHORT, file)
    with pytest.raises(MixedSettings, match="adapter"):
        run_bench(Lineup(make_model(adapter=False)), QUESTIONS[:1], replace(SHORT, methods=("ar",)), file)
    with pytest.raises(MixedSettings, match=r'weights "[0-9a-f]+" instead of "'):  # of the same name
        run_bench(Lineup(make_model(seed=4)), QUESTIONS[:1], SHORT, file)
    file.write_text("something else\n")
    with pytest.raises(ValueError, match="does not hold a benchmark's rows"):
        RowsFile(file, {})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda lines: [*lines, lines[1]], "is there twice"),
        (
            lambda lines: [lines[0], lines[1].replace('"method": "ar"', '"method": "ptp"')],
            "methods that are not run",
        ),
        (lambda lines: [lines[0], lines[1][:50] + lines[2]], "does not hold a benchmark's rows"),
        (lambda lines: [lines[0], lines[1].replace('"question_id": "0"', '"question_id": "9"')], "of no question"),
        (lambda lines: [lines[0], lines[1].replace('"num_tokens": ', '"num_tokens": 1')], "damaged"),
    ],
)
def test_rows_that_were_edited_or_cut_are_refused_in_a_sentence(make_model, tmp_path, edit, reason):
    lineup, file = Lineup(make_model()), tmp_path / "rows.jsonl"
    run_bench(lineup, QUESTIONS[:1], SHORT, file)
    file.write_text("\n".join(edit(file.read_text().splitlines())) + "\n")
    with pytest.raises(ValueError, match=reason) as error:
        run_bench(lineup, QUESTIONS[:1], SHORT, file)
    assert "\n" not in str(error.value)
