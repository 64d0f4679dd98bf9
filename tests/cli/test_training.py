"""Commands that make adapters, on the tiny model."""

import json

import pytest
from support.tiny_model import make_adapter, save_whole

from ptp_core.__main__ import main
from ptp_core.storage.adapter_files import load_adapter


def test_calibrate_writes_what_drafts_are_worth(tiny_folder, tmp_path, capsys):
    rows = [{"ids": [2 + i % 11, 3, 4, 5 + i % 7, 6], "p": 4, "kind": "chat", "temperature": 0.7} for i in range(77)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)) + "\n")
    save_whole(tmp_path / "a", make_adapter(shallow=None))
    command = ["calibrate", str(tmp_path / "a"), "--data", str(data), "--model", str(tiny_folder), "--limit", "1"]
    assert main(command) == 0
    assert "calibration error" in capsys.readouterr().out
    assert load_adapter(tmp_path / "a").config.confidence is not None


def test_train_names_what_it_can_train(capsys):
    with pytest.raises(SystemExit):
        main(["train", "nothing"])
    told = capsys.readouterr().err
    assert all(name in told for name in ("distill", "inverse", "independent", "shallow", "target", "slots"))


def test_data_are_written_with_the_threads_that_are_quicker(tiny_folder, tmp_path, monkeypatch, capsys):
    seen = []

    def write(*_):
        raise ValueError("enough")

    monkeypatch.setattr("ptp_core.decoding.thread_choice.settle_threads", lambda model: seen.append(model.name))
    monkeypatch.setattr("ptp_core.training.writing.generate_data", write)
    assert main(["data", str(tmp_path / "d"), "--model", str(tiny_folder), "--device", "cpu"]) == 1
    assert capsys.readouterr().err.endswith("error: enough\n") and seen == ["tiny-llama"]
