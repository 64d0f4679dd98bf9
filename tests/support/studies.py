"""A study to show."""

from pathlib import Path

from ptp_core.training.pretraining.study import Experiment, Point, Study

STUDY = Study("Does it pay?", [
    Experiment("curve", "A curve", "fresh deltas", "texts", "a machine", "docs/log.md", {
        "told": [Point(1000, 1.5, (1.4, 1.6), (0.4, 0.1)), Point(200_000, 1.8, (1.7, 1.9), (0.5, 0.2), (0.1, 0.03))],
        "blind": [Point(200_000, 1.7, (1.6, 1.8), (0.45, 0.15))],
    }),
    Experiment("pair", "A pair", "x", "y", "z", "w", {"told": [Point(10, 1.2)], "blind": [Point(10, 1.3)]}),
])  # fmt: skip


def put_study(folder: Path) -> None:
    """Puts it beside the results of this folder, under the name "pays"."""
    (folder / "studies").mkdir()
    (folder / "studies" / "pays.json").write_text(STUDY.text())
