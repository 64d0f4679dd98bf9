import subprocess
import sys

import pytest
from support.tiny_model import make_adapter, make_tokenizer, save_whole

from ptp_core import Trace
from ptp_core.__main__ import main
from ptp_core.storage import load


def test_generate_writes_text_stats_and_trace(tiny_folder, tmp_path, capsys):
    status = main(
        ["generate", "abc abc abc", "--model", str(tiny_folder), "--method", "prompt_lookup", "--seed", "7",
         "--max-new-tokens", "12", "--trace", str(tmp_path / "t.json")]
    )  # fmt: skip
    out, err = capsys.readouterr()
    trace = Trace.from_json(tmp_path / "t.json")
    assert status == 0
    assert out == trace.text + "\n"
    assert f"{len(trace.tokens)} tokens in {len(trace.steps)} calls" in err
    assert trace.prompt == "abc abc abc"
    assert trace.noise.seed == 7


def asked(model, adapter, method):
    return ["generate", "abc", "--model", str(model), "--adapter", str(adapter), "--method", method]


def test_every_method_prints_the_same_text(tiny_folder, tmp_path, capsys):
    adapter = make_adapter()
    save_whole(tmp_path / "a", adapter)
    texts = set()
    for method in ("ar", "ptp", "pqd", "shallow", "shallow_lookup", "independent", "prompt_lookup"):
        budget = [] if method == "ar" else ["--draft-budget", "9"]
        arguments = [*asked(tiny_folder, tmp_path / "a", method), "--seed", "3", *budget]
        assert main([*arguments, "--max-new-tokens", "16"]) == 0
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1


def test_drafts_without_u_are_made_as_asked(tiny_folder, tmp_path):
    save_whole(tmp_path / "a", make_adapter(kind="blank", variant="independent"))
    trace = tmp_path / "t.json"
    arguments = asked(tiny_folder, tmp_path / "a", "independent")
    for options, rule in (([], "argmax"), (["--draft-rule", "pick"], "pick")):
        assert main([*arguments, "--max-new-tokens", "6", "--draft-budget", "4", "--trace", str(trace), *options]) == 0
        assert Trace.from_json(trace).draft_rule == rule
    with pytest.raises(SystemExit):
        main([*arguments, "--draft-rule", "likeliest"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["generate", "   "], "prompt is empty"),
        (["generate", "a", "--temperature", "-1"], "temperature"),
        (["generate", "a", "--temperature", "nan"], "temperature"),
        (["generate", "a", "--seed", "-3"], "seed"),
        (["generate", "a", "--draft-budget", "much"], "draft-budget"),
        (["generate", "a", "--model", "nobody/nothing"], "nobody/nothing"),
    ],
)
def test_errors_are_one_sentence(arguments, reason, capsys):
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert reason in message
    assert "Traceback" not in message
    assert message.count("\n") == 1


def test_what_other_libraries_raise_is_one_sentence(tiny_folder, tmp_path, capsys, monkeypatch):
    asked = ["generate", "abc", "--method", "ar", "--model", str(tiny_folder)]
    tokenizer = make_tokenizer(chat_template="{{ raise_exception('no system role') }}")
    tokenizer.save_pretrained(tiny_folder)
    assert main(asked) == 1
    assert capsys.readouterr().err.endswith("error: The chat template of tiny-llama fails: no system role\n")
    assert main([*asked, "--plain", "--max-new-tokens", "2"]) == 0
    assert main([*asked[:1], "abc\ud83d", *asked[2:], "--plain", "--trace", str(tmp_path / "t.json")]) == 0
    assert Trace.from_json(tmp_path / "t.json").prompt == "abc\ufffd"
    capsys.readouterr()
    monkeypatch.setattr(load, "load_target", lambda *_: {}["what a library does not find"])
    assert main(asked) == 1
    assert "could not be loaded: KeyError: 'what a library" in capsys.readouterr().err


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "ptp_core", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "generate" in done.stdout
