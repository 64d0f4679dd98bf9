"""The command bench."""

import json

import pytest
from support.bench import QUESTIONS
from support.tiny_model import make_adapter, save_whole

from ptp_core.__main__ import main
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.result import BenchResult
from ptp_core.cli.benchmark import _methods
from ptp_core.decoding.costs import CostCurve
from ptp_core.methods import SETS


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


def test_a_run_chooses_its_threads_once_and_keeps_them_where_it_goes_on(
    tiny_folder, tmp_path, capsys, quick_curve, monkeypatch
):
    took = {2: 82.0, 1: 63.0}  # as beside a busy process
    monkeypatch.setattr("ptp_core.decoding.thread_choice.measure_threads", lambda model, most: took)
    monkeypatch.setattr("ptp_core.decoding.threads._watch", None)  # of other tests in this process
    number = [2]
    monkeypatch.setattr("torch.get_num_threads", lambda: number[0])
    monkeypatch.setattr("torch.set_num_threads", lambda found: number.__setitem__(0, found))
    out = tmp_path / "result.json"
    arguments = ["bench", "--model", str(tiny_folder), "--max-new-tokens", "4", "--methods", "ar,prompt_lookup"]
    arguments += ["--prompt", "abc", "--json", str(out)]
    assert main([*arguments, "--minutes", "1e-9"]) == 0
    first = json.loads(out.read_text())
    assert (first["environment"]["threads"], first["config"]["threads"]) == (1, 1)
    assert first["environment"]["thread_choice"]["how"] == "measured"
    assert first["environment"]["thread_choice"]["ms"] == {"2": 82.0, "1": 63.0}
    assert "1 thread (with 2 a call took 82.0 ms, with 1 a call took 63.0 ms)" in capsys.readouterr().out
    took.update({2: 40.0, 1: 58.0})  # the machine is quiet again, and each command is a process of its own
    number[0] = 2
    assert main(arguments) == 0
    again = BenchResult.from_json(out)
    assert again.complete and again.environment["threads"] == 1
    assert again.environment["thread_choice"]["how"] == "kept"
    number[0] = 2
    assert main([*arguments, "--fresh"]) == 0
    assert BenchResult.from_json(out).environment["threads"] == 2


def test_answers_of_one_token_have_a_result_and_an_empty_profile(tiny_folder, tmp_path, capsys, quick_curve):
    save_whole(tmp_path / "a", make_adapter())
    out = tmp_path / "result.json"
    arguments = ["bench", "--model", str(tiny_folder), "--adapter", str(tmp_path / "a"), "--prompt", "abc"]
    arguments += ["--methods", "ar,pqd", "--max-new-tokens", "1", "--draft-budget", "9", "--profile"]
    arguments += ["--json", str(out)]
    assert main(arguments) == 0
    assert "| target" in capsys.readouterr().out
    assert len(BenchResult.from_json(out).rows) == 2


def test_the_command_asks_for_questions(capsys):
    assert main(["bench"]) == 1
    assert "--questions" in capsys.readouterr().err
    assert main(["bench", "--prompt", "a", "--questions", "b"]) == 1
    assert "not both" in capsys.readouterr().err


def test_a_set_of_methods_stands_for_its_members():
    assert _methods("blind,prompt_lookup") == ("ar", "independent", "prompt_lookup")
    assert _methods("counted") == SETS["counted"]
    assert _methods("timed", lambda part: part != "parallel") == tuple(
        name for name in SETS["timed"] if not name.startswith("parallel")
    )
    assert "parallel_shallow" in _methods("parallel_shallow", lambda part: False)  # named alone, it is asked for
    with pytest.raises(ValueError, match="named twice"):
        BenchConfig(_methods("blind,ar"))
    with pytest.raises(ValueError, match="Unknown methods: nonsense"):
        BenchConfig(_methods("blind,nonsense"))
