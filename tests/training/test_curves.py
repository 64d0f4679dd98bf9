"""The page about training runs, and the way of an adapter to the hub."""

import json

import pytest
from support.tiny_model import make_adapter, save_whole

from ptp_core import load_adapter
from ptp_core.__main__ import main
from ptp_core.storage.adapter_files import push_folder
from ptp_core.training.curves import _smooth, figure, read_metrics

ROWS = [
    {"step": 1, "loss": 4.0, "lr": 0.1, "targets": 10, "seconds": 1.0},
    {"step": 2, "loss": 2.0, "lr": 0.1, "targets": 20, "seconds": 2.0},
    {"step": 2, "slot_accuracy": [0.5, 0.25], "tokens_per_call": 1.5, "by_kind": {"chat": 1.6, "code": 1.4}},
]


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path / "run"


def test_metrics_are_steps_and_evaluations(run):
    steps, evaluations = read_metrics(run)
    assert [row["loss"] for row in steps] == [4.0, 2.0]
    assert evaluations[0]["targets"] == 20


def test_the_pictures_show_the_metrics(run):
    loss, held_out, slots, kinds = figure([run]).data
    assert list(loss.x) == [10, 20]
    assert list(held_out.y) == [1.5]
    assert list(slots.y) == [0.5, 0.25]
    assert dict(zip(kinds.x, kinds.y, strict=True)) == {"chat": 1.6, "code": 1.4}
    assert len(figure([run, run]).data) == 8


def test_smoothing_starts_without_bias():
    assert _smooth([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    assert _smooth([1.0, 2.0]) == pytest.approx([1.0, (0.95 * 0.05 * 1 + 0.05 * 2) / (0.95 * 0.05 + 0.05)])


def test_the_page_is_whole_without_a_network(run, tmp_path, capsys):
    assert main(["report", str(run), "--out", str(tmp_path / "page" / "report.html")]) == 0
    text = (tmp_path / "page" / "report.html").read_text()
    assert "Plotly.newPlot" in text
    assert "<script src=" not in text
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 1
    assert "no training run" in capsys.readouterr().err
    (run / "metrics.jsonl").write_text("{")
    assert main(["report", str(run), "--out", str(tmp_path / "x.html")]) == 1
    assert "damaged" in capsys.readouterr().err


class Hub:
    """Stands in for huggingface_hub.HfApi: a folder per repository."""

    root = None

    def create_repo(self, repo, private, exist_ok):
        (self.root / repo).mkdir(parents=True, exist_ok=exist_ok)
        return f"https://hub/{repo}"

    def upload_folder(self, repo_id, folder_path, allow_patterns):
        from pathlib import Path

        for name in allow_patterns:
            if (Path(folder_path) / name).is_file():
                (self.root / repo_id / name).write_bytes((Path(folder_path) / name).read_bytes())


def test_an_adapter_goes_to_the_hub_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(Hub, "root", tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    adapter = make_adapter()
    save_whole(tmp_path / "mine", adapter)
    (tmp_path / "mine" / "README.md").write_text("card")
    (tmp_path / "mine" / "secret.txt").write_text("not part of an adapter")
    assert push_folder(tmp_path / "mine", "someone/adapter") == "https://hub/someone/adapter"
    assert load_adapter(tmp_path / "hub" / "someone" / "adapter").config.name == adapter.config.name
    assert not (tmp_path / "hub" / "someone" / "adapter" / "secret.txt").exists()
    assert (tmp_path / "hub" / "someone" / "adapter" / "README.md").exists()


def test_only_whole_adapters_are_pushed(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    with pytest.raises(ValueError, match="missing"):
        push_folder(tmp_path, "someone/adapter")
