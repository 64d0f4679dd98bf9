import json

import pytest

from ptp_core.__main__ import main
from ptp_core.bench import BenchConfig, Question, load_questions, run_bench
from ptp_core.cost import CostCurve
from ptp_core.figures import Row, bootstrap_speedup, markdown_table, summarise

QUESTIONS = [
    Question(str(i), "ab" if i % 2 else "cd", text) for i, text in enumerate(["abc", "hg fe", "aabb", "d.e.f"])
]
ALL = ("ar", "ptp", "pqd", "independent", "prompt_lookup")


def row(question, method, tokens, seconds, calls=None, accepted=(), same=True, category="x"):
    return Row(question, category, method, tokens, calls or tokens, seconds, list(accepted), same)


def test_every_exact_method_is_exact_and_counted(make_model):
    rows = run_bench(make_model(quick=True), QUESTIONS, BenchConfig(ALL, max_new_tokens=12, draft_budget=9))
    summary = summarise(rows)
    assert list(summary) == list(ALL)
    for method in ALL:
        assert summary[method]["identical_to_ar"] == [4, 4]
        assert summary[method]["num_tokens"] == summary["ar"]["num_tokens"]
        assert set(summary[method]["by_category"]) == {"ab", "cd"}
    assert summary["ar"]["tokens_per_call"] == 1
    assert summary["ar"]["speedup_vs_ar"] == 1


def test_methods_are_interleaved_question_by_question(make_model):
    seen = []
    config = BenchConfig(("ar", "pqd"), max_new_tokens=4, draft_budget=4)
    rows = run_bench(make_model(), QUESTIONS, config, progress=lambda done, total, what: seen.append((done, total)))
    assert [(r.question_id, r.method) for r in rows[:4]] == [("0", "ar"), ("0", "pqd"), ("1", "ar"), ("1", "pqd")]
    assert seen == [(i, 8) for i in range(8)]


def test_a_stopped_run_goes_on_from_its_rows(make_model, tmp_path):
    config = BenchConfig(("ar", "pqd"), max_new_tokens=6, draft_budget=4)
    whole = run_bench(make_model(), QUESTIONS, config)

    class Stop(Exception):
        pass

    def stop(done, total, what):
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        run_bench(make_model(), QUESTIONS, config, tmp_path / "rows.jsonl", stop)
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3
    again = run_bench(make_model(), QUESTIONS, config, tmp_path / "rows.jsonl")

    def plain(rows):
        return [(r.question_id, r.method, r.num_tokens, r.num_calls, r.accepted, r.identical_to_ar) for r in rows]

    assert plain(again) == plain(whole)


def test_figures_by_hand():
    rows = [
        row("1", "ar", 10, 1.0), row("2", "ar", 20, 2.0),
        row("1", "pqd", 10, 0.5, 5, [(3, 2), (4, 1)]), row("2", "pqd", 20, 1.5, 10, [(1, 1)], same=False),
    ]  # fmt: skip
    figures = summarise(rows)["pqd"]
    assert figures["tokens_per_call"] == 2
    assert figures["mean_accepted_length"] == pytest.approx(1 + 4 / 3)
    assert figures["acceptance_rate"] == 0.5
    assert figures["speedup_vs_ar"] == pytest.approx(1.5)
    assert figures["identical_to_ar"] == [1, 2]
    assert figures["divergences"] == [{"question_id": "2", "position": None, "margin": None}]


def test_bootstrap_with_known_answers():
    steady = [row(str(i), "pqd", 10, 0.5) for i in range(20)], [row(str(i), "ar", 10, 1.0) for i in range(20)]
    assert bootstrap_speedup(*steady) == [2.0, 2.0]
    mixed = [row(str(i), "pqd", 10, 0.5 if i % 2 else 2.0) for i in range(20)], steady[1]
    low, high = bootstrap_speedup(*mixed)
    assert low < 0.8 < high  # 20 s of ar over 25 s: the middle of the interval
    assert high - low > 0.2  # negative control: questions that differ give a wide interval
    assert bootstrap_speedup(mixed[0][:1], mixed[1]) is None


def test_table_has_a_row_per_method():
    rows = [row("1", "ar", 10, 1.0), row("1", "hf_generate", 10, 2.0, same=None), row("1", "pqd", 10, 0.5, 5, [(2, 1)])]
    lines = markdown_table(summarise(rows)).splitlines()
    assert len(lines) == 5
    assert lines[3].startswith("| hf_generate | 1.00 | – | 200.0 | 0.50 | – |")
    assert "| 2.00 | 1.50 |".replace("1.50", "2.00") in lines[4]


def test_questions_files(tmp_path):
    file = tmp_path / "q.jsonl"
    first = {"question_id": 7, "category": "math", "turns": ["one", "two"]}
    file.write_text("\n".join(json.dumps(r) for r in [first, {"prompt": "plain"}, {"prompt": "x"}, {"prompt": "y"}]))
    questions = load_questions(file)
    assert questions[0] == Question("7", "math", "one")
    assert questions[1] == Question("1", "all", "plain")
    assert [q.prompt for q in load_questions(file, 2)] == ["one", "y"]
    file.write_text('{"text": "no prompt"}')
    with pytest.raises(ValueError, match="neither turns nor a prompt"):
        load_questions(file)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="magic"):
        BenchConfig(("ar", "magic"))


def test_command_with_the_outside_peers(tiny_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ptp_core.bench.cost_curve", lambda model: CostCurve((1, 64), (1.0, 2.0)))
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps({"prompt": q.prompt}) for q in QUESTIONS))
    out = tmp_path / "result.json"
    arguments = [
        "bench",
        "--questions",
        str(tmp_path / "q.jsonl"),
        "--model",
        str(tiny_folder),
        "--max-new-tokens",
        "6",
    ]
    assert main([*arguments, "--methods", "ar,prompt_lookup,hf_generate,hf_prompt_lookup", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert set(result) == {"environment", "config", "methods", "questions"}
    assert result["methods"]["prompt_lookup"]["identical_to_ar"] == [4, 4]
    assert result["methods"]["hf_generate"]["identical_to_ar"] is None
    assert result["methods"]["hf_generate"]["num_calls"] == result["methods"]["hf_generate"]["num_tokens"]
    assert "| hf_generate |" in capsys.readouterr().out
    promised = {"num_tokens", "num_calls", "tokens_per_call", "mean_accepted_length", "acceptance_rate", "seconds"}
    promised |= {"tokens_per_second", "speedup_vs_ar", "identical_to_ar", "by_category"}
    assert promised <= set(result["methods"]["ar"])
