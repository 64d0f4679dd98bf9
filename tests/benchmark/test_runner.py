"""Benchmarks: who answers what, in which order, and that it is counted right."""

from dataclasses import replace

import pytest
import torch
from support.bench import QUESTIONS, SHORT
from support.tiny_model import make_adapter

from ptp_core import NoiseTape, SamplingConfig, warp
from ptp_core.benchmark import runner as bench_module
from ptp_core.benchmark.config import BenchConfig, parse_sweep
from ptp_core.benchmark.environment import PeakMemory, environment
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows import probability_gap
from ptp_core.benchmark.rows_file import MixedSettings, row_from_dict
from ptp_core.benchmark.runner import Lineup, iter_bench, run_bench
from ptp_core.benchmark.summary import csv_text, summarise
from ptp_core.benchmark.tables import markdown_table
from ptp_core.engine.engine import Engine
from ptp_core.model.ptp_model import PTPModel

ALL = ("ar", "ptp", "pqd", "independent", "prompt_lookup")


def test_every_exact_method_is_exact_and_counted(make_model):
    rows = run_bench(Lineup(make_model(quick=True)), QUESTIONS, BenchConfig(ALL, max_new_tokens=12, draft_budget=9))
    summary = summarise(rows)
    assert list(summary) == list(ALL)
    for method in ALL:
        assert summary[method]["identical_to_ar"] == [4, 4]
        assert summary[method]["num_tokens"] == summary["ar"]["num_tokens"]
        assert set(summary[method]["by_category"]) == {"ab", "cd"}
    assert summary["ar"]["tokens_per_call"] == 1
    assert summary["ar"]["speedup_vs_ar"] == 1
    for row in rows:
        assert sum(c.emitted for c in row.calls) == row.num_tokens == len(row.entropy) == len(row.classes)
        assert sum(c.ms for c in row.calls) == pytest.approx(1e3 * row.seconds, abs=0.1)


def test_a_text_that_differs_is_counted_with_its_place_and_margin(make_model, monkeypatch):
    real = bench_module.new_trace

    def other_noise(model, ids, method, noise, sampling, prompt, steps, *options):
        if method == "pqd":  # negative control: a decoder that is not exact
            other = NoiseTape(noise.seed + 99)
            steps = list(bench_module.start_decoding(model, ids, "ar", other, sampling, max_new_tokens=6))
        return real(model, ids, method, noise, sampling, prompt, steps, *options)

    monkeypatch.setattr(bench_module, "new_trace", other_noise)
    figures = summarise(run_bench(Lineup(make_model()), QUESTIONS, SHORT))["pqd"]
    same, total = figures["identical_to_ar"]
    assert same < total == 4
    assert all(d["gap"] is None or 0 <= d["gap"] <= 1 for d in figures["divergences"])
    assert any(d["gap"] for d in figures["divergences"])
    assert len(figures["divergences"]) == total - same
    assert all(d["position"] is not None and d["margin"] is not None for d in figures["divergences"])


def test_with_an_engine_ar_has_two_shapes_and_the_table_both(make_model):
    """Ratios to ar in the shape of all methods, and to ar in calls of one row, which may be quicker."""
    plain = run_bench(Lineup(make_model(context=512)), QUESTIONS, SHORT)
    assert all(row.own_shape_ms is None and "own_shape_ms" not in row.to_dict() for row in plain)
    assert "own best shape" not in markdown_table(summarise(plain))
    target = make_model(context=512)
    model = PTPModel(target.target, target.tokenizer, make_adapter(), name="tiny").eval()
    model.engine = engine = Engine(model)
    rows = run_bench(Lineup(model), QUESTIONS, SHORT)
    assert model.engine is engine
    assert [r.tokens for r in rows] == [r.tokens for r in plain]
    assert all((row.own_shape_ms is not None) == (row.method == "ar") for row in rows)
    assert row_from_dict(rows[0].to_dict()) == rows[0]
    rows = [replace(r, seconds=0.006 * r.num_tokens, own_shape_ms=r.own_shape_ms and 3.0) for r in rows]
    figures = summarise(rows)
    assert figures["pqd"]["speedup_vs_own_shape"] == pytest.approx(0.5)
    assert figures["ar"]["speedup_vs_own_shape"] == pytest.approx(0.5)
    head, line, *methods = markdown_table(figures).splitlines()
    assert "| speed-up over ar, same shape | over ar, own best shape |" in head
    assert {text.count("|") for text in (head, line, *methods)} == {11}
    assert methods[1].split(" | ")[6] == "0.50"


def test_methods_are_interleaved_question_by_question(make_model):
    seen = list(iter_bench(Lineup(make_model()), QUESTIONS, SHORT))
    rows = [p.row for p in seen if p.row]
    assert [(r.question_id, r.method) for r in rows[:4]] == [("0", "ar"), ("0", "pqd"), ("1", "ar"), ("1", "pqd")]
    assert [p.done for p in seen if p.row is None] == list(range(8))
    assert all(p.total == 8 for p in seen)
    assert seen[0].seconds_left is None and seen[1].seconds_left > 0
    assert seen[-1].seconds_left == 0


def test_repeats_take_turns_and_the_median_counts(make_model, monkeypatch, tmp_path):
    times = iter([5.0, 1.0, 3.0, 2.0, 4.0, 9.0] * 2)  # ar, pqd; pqd, ar; ar, pqd
    asked = []
    answer = bench_module.Bench.answer

    def timed(self, question, ids, job, seed, references, most=None):
        row = answer(self, question, ids, job, seed, references, most)
        if most is not None:  # warming up
            return row
        asked.append((question.question_id, job.method))
        return replace(row, seconds=next(times))

    monkeypatch.setattr(bench_module.Bench, "answer", timed)
    lineup, thrice = Lineup(make_model()), replace(SHORT, repeats=3)
    seen = list(iter_bench(lineup, QUESTIONS[:2], thrice, tmp_path / "rows.jsonl"))
    assert [m for q, m in asked if q == "0"] == ["ar", "pqd", "pqd", "ar", "ar", "pqd"]
    assert [(p.row.method, p.row.seconds) for p in seen if p.row] == [("ar", 4.0), ("pqd", 3.0)] * 2
    assert seen[-1].done == seen[-1].total == 4
    assert seen[-1].seconds_left == 0
    assert not [p for p in iter_bench(lineup, QUESTIONS[:2], thrice, tmp_path / "rows.jsonl") if p.row is None]


def test_sweeps_run_point_by_point_beside_one_baseline(make_model):
    config = BenchConfig(
        ("ar", "pqd", "prompt_lookup"), max_new_tokens=6, draft_budget=4,
        sweep=(*parse_sweep("draft_budget=0,9"), *parse_sweep("temperature=0,1")),
    )  # fmt: skip
    rows = run_bench(Lineup(make_model()), QUESTIONS[:2], config)
    jobs = [(r.point, r.method) for r in rows if r.question_id == "0"]
    assert jobs == [
        ("", "ar"), ("", "prompt_lookup"), ("draft_budget=0", "pqd"), ("draft_budget=9", "pqd"),
        ("temperature=0.0", "ar"), ("temperature=0.0", "pqd"), ("temperature=0.0", "prompt_lookup"),
        ("temperature=1.0", "ar"), ("temperature=1.0", "pqd"), ("temperature=1.0", "prompt_lookup"),
    ]  # fmt: skip
    assert [r.question_id for r in rows] == ["0"] * 10 + ["1"] * 10
    assert all(r.identical_to_ar for r in rows)
    assert not any(c.branches for r in rows if r.point == "draft_budget=0" for c in r.calls)
    assert any(c.branches for r in rows if r.point == "draft_budget=9" for c in r.calls)
    assert all(e == 0 for r in rows if r.point == "temperature=0.0" for e in r.entropy)
    steady = [  # every call 10 ms: what a busy machine measured could be a speed-up that cannot be
        replace(r, seconds=0.01 * len(r.calls), tries=[], calls=[replace(c, ms=10.0) for c in r.calls]) for r in rows
    ]
    result = BenchResult({}, config, QUESTIONS[:2], steady)
    assert result.points["draft_budget=0"]["pqd"]["speedup_vs_ar"] is not None
    assert result.points["temperature=1.0"]["ar"]["speedup_vs_ar"] == 1


def test_both_rules_of_drafts_without_u_stand_in_one_result(make_model, tmp_path):
    model, blind = make_model(), make_model(kind="blank", variant="independent")
    config = BenchConfig(
        ("ar", "pqd", "independent"), max_new_tokens=12, draft_budget=9, sweep=parse_sweep("draft_rule=argmax,pick")
    )  # fmt: skip
    rows = run_bench(Lineup(model, blind), QUESTIONS[:2], config)
    jobs = [(r.point, r.method, r.draft_rule) for r in rows if r.question_id == "0"]
    assert jobs == [
        ("", "ar", ""), ("", "pqd", ""),
        ("draft_rule=argmax", "independent", "argmax"), ("draft_rule=pick", "independent", "pick"),
    ]  # fmt: skip
    assert all(r.identical_to_ar for r in rows)
    by_rule = {rule: [r.calls for r in rows if r.draft_rule == rule] for rule in ("argmax", "pick")}
    drafted = {rule: [c.confidences for calls in found for c in calls] for rule, found in by_rule.items()}
    assert drafted["argmax"] != drafted["pick"]
    BenchResult(environment(model, blind), config, QUESTIONS[:2], rows).to_json(tmp_path / "r.json")
    again = BenchResult.from_json(tmp_path / "r.json")
    assert again.rows == rows and again.config == config
    assert "draft_rule" in csv_text(again.rows).splitlines()[0]


def test_independent_drafts_with_its_own_adapter(make_model):
    blind = make_model(kind="blank", variant="independent")
    config = BenchConfig(("ar", "independent"), max_new_tokens=12, draft_budget=9)
    own = run_bench(Lineup(make_model(), blind), QUESTIONS, config)
    shared = run_bench(Lineup(make_model()), QUESTIONS, config)
    assert [r.tokens for r in own] == [r.tokens for r in shared]
    assert [c.confidences for r in own for c in r.calls] != [c.confidences for r in shared for c in r.calls]
    with pytest.raises(ValueError, match="reads u"):
        run_bench(Lineup(make_model(), make_model()), QUESTIONS, config)


def test_what_cannot_run_is_said_before_anything_runs(make_model):
    with pytest.raises(ValueError, match="no PTP adapter"):
        run_bench(Lineup(make_model(adapter=False)), QUESTIONS, SHORT)
    with pytest.raises(ValueError, match="assistant"):
        run_bench(Lineup(make_model()), QUESTIONS, BenchConfig(("ar", "hf_assisted")))


def test_a_question_that_is_too_long_is_named_before_anything_runs(make_model):
    asked = [*QUESTIONS, Question("long", "ab", "abc" * 400)]
    with pytest.raises(ValueError, match="Question long: The prompt has"):
        next(iter_bench(Lineup(make_model()), asked, SHORT))


def test_rows_know_their_peak_memory(make_model):
    rows = run_bench(Lineup(make_model()), QUESTIONS[:1], SHORT)
    peaks = [row.peak_memory_mb for row in rows]
    if PeakMemory(torch.device("cpu")).read() is not None:
        assert all(peak > 10 for peak in peaks)
        assert summarise(rows)["pqd"]["peak_memory_mb"] == max(r.peak_memory_mb for r in rows if r.method == "pqd")


def test_tokens_that_are_equally_likely_have_no_gap(make_model):
    """The gap is the difference of the target's probabilities at the first place at which two texts differ."""
    model, ids, sampling = make_model(), [3, 4, 5], SamplingConfig(1.0, 0, 1.0)
    probs = warp(model.target_logits([*ids, 6])[-1], sampling)
    gap = probability_gap(model, ids, [6, 7, 2], [6, 8, 2], sampling)
    assert gap == pytest.approx(abs(float(probs[7] - probs[8])), abs=1e-6)
    assert probability_gap(model, ids, [6, 7], [6, 7], sampling) is None
    assert probability_gap(model, ids, [6, 7], [6], sampling) is None


def test_a_benchmark_sweeps_over_the_chain(make_model):
    config = BenchConfig(("ar", "ptp", "pqd"), max_new_tokens=16, draft_budget=9, sweep=parse_sweep("chained=0,1"))
    rows = run_bench(Lineup(make_model(chain=16)), [Question("1", "a", "abc"), Question("2", "a", "hg fe")], config)
    assert {(row.method, row.point) for row in rows} == {
        ("ar", ""), ("ptp", "chained=0"), ("pqd", "chained=0"), ("ptp", "chained=1"), ("pqd", "chained=1"),
    }  # fmt: skip
    assert all(row.identical_to_ar for row in rows)
    drafts = {
        point: [c.right for r in rows if r.point == point for c in r.calls] for point in ("chained=0", "chained=1")
    }
    assert drafts["chained=0"] != drafts["chained=1"]
    with pytest.raises(ValueError, match="chained"):
        BenchConfig(chained=2)


def test_a_template_with_a_clock_is_rendered_once_for_all_methods(make_model, tmp_path, monkeypatch):
    model, ticks = make_model(), iter(range(1000))
    monkeypatch.setattr(
        type(model), "render_messages", lambda self, messages: f"{messages[0]['content']}{'abcdefgh'[next(ticks) % 8]}"
    )
    monkeypatch.setattr(type(model), "has_chat_template", True)
    config = replace(SHORT, methods=("ar", "pqd", "prompt_lookup"))
    rows = run_bench(Lineup(model), QUESTIONS[:2], config, tmp_path / "rows.jsonl")
    assert all(row.identical_to_ar for row in rows)
    with pytest.raises(MixedSettings, match="prompts"):  # another time: other prompts
        run_bench(Lineup(model), QUESTIONS[:2], config, tmp_path / "rows.jsonl")


def test_a_second_adapter_must_sit_on_the_same_weights(make_model):
    config = BenchConfig(("ar", "independent"), max_new_tokens=4)
    other = make_model(seed=4, kind="blank", variant="independent")
    with pytest.raises(ValueError, match="same target"):
        run_bench(Lineup(make_model(), other), QUESTIONS[:1], config)
