import json
from dataclasses import replace

import pytest
import torch
from support.tiny_model import make_adapter, save_whole

from ptp_core import NoiseTape, SamplingConfig, warp
from ptp_core.__main__ import main
from ptp_core.benchmark import runner as bench_module
from ptp_core.benchmark.config import BenchConfig, Point, parse_sweep
from ptp_core.benchmark.environment import PeakMemory, environment
from ptp_core.benchmark.profile import _summary, _Tally
from ptp_core.benchmark.questions import Question, load_questions, typed_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows_file import MixedSettings, RowsFile
from ptp_core.benchmark.runner import Lineup, iter_bench, probability_gap, run_bench
from ptp_core.benchmark.summary import csv_text, summarise
from ptp_core.decoding.costs import CostCurve
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.decoding.slots import SlotRule
from ptp_core.training.writing import read_prompts

QUESTIONS = [
    Question(str(i), "ab" if i % 2 else "cd", text) for i, text in enumerate(["abc", "hg fe", "aabb", "d.e.f"])
]


ALL = ("ar", "ptp", "pqd", "independent", "prompt_lookup")


SHORT = BenchConfig(("ar", "pqd"), max_new_tokens=6, draft_budget=4)


def counts(rows):
    """What must not change from run to run: everything but times."""
    return [
        replace(r, seconds=0.0, peak_memory_mb=None, calls=[replace(c, ms=0.0) for c in r.calls])
        for r in sorted(rows, key=lambda r: (r.question_id, r.method, r.point))
    ]


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
    answer = bench_module._Bench.answer

    def timed(self, question, job, seed, references, most=None):
        row = answer(self, question, job, seed, references, most)
        if most is not None:  # warming up
            return row
        asked.append((question.question_id, job.method))
        return replace(row, seconds=next(times))

    monkeypatch.setattr(bench_module._Bench, "answer", timed)
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
    result = BenchResult({}, config, QUESTIONS[:2], rows)
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
    file.write_text("something else\n")
    with pytest.raises(ValueError, match="does not hold a benchmark's rows"):
        RowsFile(file, {})


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


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"methods": ("ar", "magic")}, "magic"),
        ({"methods": ("ar", "ar")}, "twice"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"draft_budget": 999}, "draft_budget"),
        ({"num_speculative_tokens": 65}, "num_speculative_tokens"),
        ({"sweep": (Point("temperature", -1.0),)}, "temperature"),
        ({"repeats": 0}, "repeats"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        BenchConfig(**settings)


def test_sweeps_are_read_from_text():
    assert parse_sweep("draft_budget=0,8,auto") == tuple(Point("draft_budget", v) for v in (0, 8, "auto"))
    assert parse_sweep("temperature=0,0.7") == (Point("temperature", 0.0), Point("temperature", 0.7))
    for text in ("seed=1,2", "draft_budget", "draft_budget=", "num_speculative_tokens=2.5"):
        with pytest.raises(ValueError, match=r"sweep|no value"):
            parse_sweep(text)


def test_questions_files(tmp_path):
    file = tmp_path / "q.jsonl"
    first = {"question_id": 7, "category": "math", "turns": ["one", "two"]}
    file.write_text("\n".join(json.dumps(r) for r in [first, {"prompt": "plain"}, {"prompt": "x"}, {"prompt": "y"}]))
    questions = load_questions(file)
    assert questions[0] == Question("7", "math", "one")
    assert questions[1] == Question("1", "all", "plain")
    assert [q.prompt for q in load_questions(file, 2)] == ["one", "y"]
    assert typed_questions(["a", " ", "b"]) == [Question("own-1", "own", "a"), Question("own-3", "own", "b")]
    for text, reason in [
        ('{"text": "no prompt"}', "neither turns nor a prompt"),
        ("[1]", "neither turns nor a prompt"),
        ('{"prompt": ""}', "neither turns nor a prompt"),
        ("{broken", "not JSON"),
        ("", "no question"),
        ('{"prompt": "a", "question_id": 1}\n{"prompt": "b", "question_id": 1}', "two questions with the id '1'"),
    ]:
        file.write_text(text)
        with pytest.raises(ValueError, match=reason):
            load_questions(file)
    with pytest.raises(ValueError, match="no question"):
        typed_questions(["  "])


@pytest.fixture
def quick_curve(monkeypatch):
    curve = CostCurve((1, 64), (1.0, 2.0))
    monkeypatch.setattr("ptp_core.benchmark.runner.cost_curve", lambda model: curve)
    monkeypatch.setattr("ptp_core.benchmark.environment.measure_cost_curve", lambda model: curve)


def test_command_with_the_outside_peers(tiny_folder, tmp_path, capsys, quick_curve):
    out = tmp_path / "result.json"
    arguments = ["bench", "--model", str(tiny_folder), "--max-new-tokens", "6", "--repeats", "2", "--json", str(out)]
    arguments += ["--methods", "ar,prompt_lookup,hf_generate,hf_prompt_lookup,hf_assisted"]
    arguments += ["--assistant", str(tiny_folder), *(x for q in QUESTIONS for x in ("--prompt", q.prompt))]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| hf_generate |" in printed
    assert "median of 2 tries" in printed
    result = json.loads(out.read_text())
    assert result["methods"]["prompt_lookup"]["identical_to_ar"] == [4, 4]
    for peer in ("hf_generate", "hf_prompt_lookup", "hf_assisted"):
        assert result["methods"][peer]["identical_to_ar"] is None
        assert result["methods"][peer]["num_tokens"] > 0
    assert result["methods"]["hf_generate"]["num_calls"] == result["methods"]["hf_generate"]["num_tokens"]
    promised = {"num_tokens", "num_calls", "tokens_per_call", "mean_accepted_length", "acceptance_rate", "seconds"}
    promised |= {"tokens_per_second", "speedup_vs_ar", "identical_to_ar", "by_category"}
    assert promised <= set(result["methods"]["ar"])
    assert {"model", "adapter", "device", "threads", "dtype", "torch", "transformers", "date"} <= set(
        result["environment"]
    )
    assert not (tmp_path / "result.json.rows.jsonl").exists()


def test_command_with_an_adapter_in_two_parts(tiny_folder, tmp_path, capsys, quick_curve):
    adapter = make_adapter()
    save_whole(tmp_path / "a", adapter)
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps({"prompt": q.prompt}) for q in QUESTIONS))
    out, outputs = tmp_path / "result.json", {name: tmp_path / f"r.{name}" for name in ("csv", "table", "html")}
    arguments = [
        "bench",
        "--questions",
        str(tmp_path / "q.jsonl"),
        "--model",
        str(tiny_folder),
        "--max-new-tokens",
        "8",
    ]
    arguments += ["--adapter", str(tmp_path / "a"), "--methods", "ar,pqd", "--draft-budget", "9", "--json", str(out)]
    assert main([*arguments, "--minutes", "1e-9"]) == 0
    assert "the same command goes on from there" in capsys.readouterr().err
    assert json.loads(out.read_text())["complete"] is False
    assert main([*arguments, "--temperature", "1"]) == 1
    assert "--fresh" in capsys.readouterr().err
    files = [x for name, path in outputs.items() for x in (f"--{name}", str(path))]
    assert main([*arguments, "--profile", *files]) == 0
    printed = capsys.readouterr().out
    result = BenchResult.from_json(out)
    assert result.complete and len(result.rows) == 8
    assert "slot_delta" in printed and "| pqd |" in printed
    assert len(outputs["csv"].read_text().splitlines()) == 9
    assert outputs["table"].read_text().strip() in printed
    assert "plotly" in outputs["html"].read_text().lower()
    assert set(result.profile["methods"]) == {"ar", "pqd", "shallow"}
    shallow = result.profile["methods"]["shallow"]
    assert shallow["slots"] == 0 and shallow["positions"] > 1 and shallow["parts"]["draft"] > 0
    assert sum(shallow["parts"].values()) == pytest.approx(shallow["ms"])
    parts = result.profile["methods"]["pqd"]
    assert sum(parts["parts"].values()) == pytest.approx(parts["ms"])
    assert parts["slots"] > 0 and parts["positions"] > parts["slots"]


def test_a_profile_of_calls_without_slots_bills_their_layers_to_the_target(make_model):
    settings = DecodeSettings(max_new_tokens=6)
    run = _Tally(make_model(), [3, 5, 4], NoiseTape(1), SamplingConfig(), settings, 3, SlotRule(), synchronize=None)
    for lengths in ([0], [4], [0], [0]):
        run.call([], lengths)
    plain = _summary([run])
    assert run.calls == 3
    assert plain["parts"]["target"] == pytest.approx(1e3 * run.extra.seconds["without slots"] / 3)
    alone = _Tally(make_model(), [3, 5, 4], NoiseTape(1), SamplingConfig(), settings, 3, SlotRule(), synchronize=None)
    for _ in range(4):
        alone.call([], [0])
    assert alone.extra.seconds["without delta"] == alone.extra.seconds["without slots"]
    assert alone.extra.seconds["without slots"] == pytest.approx(alone.laps.seconds["body"])


def test_answers_of_one_token_have_a_result_and_an_empty_profile(tiny_folder, tmp_path, capsys, quick_curve):
    save_whole(tmp_path / "a", make_adapter())
    out = tmp_path / "result.json"
    arguments = ["bench", "--model", str(tiny_folder), "--adapter", str(tmp_path / "a"), "--prompt", "abc"]
    arguments += ["--methods", "ar,pqd", "--max-new-tokens", "1", "--draft-budget", "9", "--profile"]
    arguments += ["--json", str(out)]
    assert main(arguments) == 0
    assert "| target" in capsys.readouterr().out
    assert len(BenchResult.from_json(out).rows) == 2


def test_a_question_that_is_too_long_is_named_before_anything_runs(make_model):
    asked = [*QUESTIONS, Question("long", "ab", "abc" * 400)]
    with pytest.raises(ValueError, match="Question long: The prompt has"):
        next(iter_bench(Lineup(make_model()), asked, SHORT))


def test_line_separators_inside_a_question_are_text(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"prompt": "a\u2028b\u0085c"}\r\n{"prompt": "d"}\n', encoding="utf-8")
    assert [q.prompt for q in load_questions(tmp_path / "q.jsonl")] == ["a\u2028b\x85c", "d"]
    assert read_prompts(str(tmp_path / "q.jsonl"), "prompt") == ["a\u2028b\x85c", "d"]


def test_the_command_asks_for_questions(capsys):
    assert main(["bench"]) == 1
    assert "--questions" in capsys.readouterr().err
    assert main(["bench", "--prompt", "a", "--questions", "b"]) == 1
    assert "not both" in capsys.readouterr().err


def test_peak_memory_is_each_answers_own():
    """On Linux. A large block between two resets shows in the first reading and is gone from the second."""
    memory = PeakMemory(torch.device("cpu"))
    memory.reset()
    if memory.read() is None:
        pytest.skip("this system does not tell peaks")
    before = memory.read()
    block = torch.ones(64 << 20, dtype=torch.uint8)
    with_block = memory.read()
    del block
    memory.reset()
    assert with_block >= before + 48
    assert memory.read() <= with_block - 48


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
