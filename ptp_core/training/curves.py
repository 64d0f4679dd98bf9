"""Learning curves of training runs as a page of their own, with Plotly.

    python -m ptp_core report RUN [RUN ...] --out report.html

Several runs share each picture, so learning curves at equal budget can be compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

_COLOURS = ("#0f7f7a", "#b45309", "#3b4fa8", "#a3341f", "#5b6472", "#7a5ea8")
_SMOOTHING = 0.05  # weight of each new step in the moving mean of the loss


def read_metrics(run: str | os.PathLike[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(steps, evaluations) of a run's metrics.jsonl; each evaluation also has the targets seen until then.

    Raises FileNotFoundError if the folder has no metrics, ValueError if they are damaged.
    """
    path = Path(run) / "metrics.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{run} has no metrics.jsonl, so it is no training run.")
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        steps = [row for row in rows if "loss" in row]
        seen = {row["step"]: row["targets"] for row in steps}
        evaluations = [{**row, "targets": seen[row["step"]]} for row in rows if "slot_accuracy" in row]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged: it should hold one JSON object per line.") from None
    return steps, evaluations


def figure(runs: Sequence[str | os.PathLike[str]]) -> go.Figure:
    """The report of one or more run folders."""
    titles = (
        "Loss (moving mean)",
        "Tokens per call, held out",
        "Right drafts by slot",
        "Tokens per call by kind of task",
    )
    picture = make_subplots(rows=2, cols=2, subplot_titles=titles, vertical_spacing=0.16)
    for run, colour in zip(runs, _COLOURS * len(runs), strict=False):
        steps, evaluations = read_metrics(run)
        name, line = Path(run).name, {"color": colour}
        shared: dict[str, Any] = {"name": name, "legendgroup": name, "marker": {"color": colour}}
        targets = [row["targets"] for row in steps]
        picture.add_scatter(x=targets, y=_smooth([row["loss"] for row in steps]), line=line, **shared, row=1, col=1)
        if not evaluations:
            continue
        shared["showlegend"] = False
        x = [row["targets"] for row in evaluations]
        y = [row["tokens_per_call"] for row in evaluations]
        picture.add_scatter(x=x, y=y, mode="lines+markers", line=line, **shared, row=1, col=2)
        slots = evaluations[-1]["slot_accuracy"]
        picture.add_bar(x=[f"slot {i + 1}" for i in range(len(slots))], y=slots, **shared, row=2, col=1)
        kinds = evaluations[-1]["by_kind"]
        picture.add_bar(x=list(kinds), y=list(kinds.values()), **shared, row=2, col=2)
    for col in (1, 2):
        picture.update_xaxes(title_text="targets", row=1, col=col)
    picture.update_yaxes(range=[0, 1], row=2, col=1)
    picture.update_layout(
        template="simple_white", height=760, title="Training: " + ", ".join(Path(r).name for r in runs)
    )
    return picture


def write_report(runs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Path:
    """Writes the page, which needs nothing from the network; returns its path."""
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure(runs).write_html(path, include_plotlyjs=True)
    return path


def _smooth(values: Sequence[float]) -> list[float]:
    """Exponentially weighted mean without the bias of its start."""
    result, mean, weight = [], 0.0, 0.0
    for value in values:
        mean = (1 - _SMOOTHING) * mean + _SMOOTHING * value
        weight = (1 - _SMOOTHING) * weight + _SMOOTHING
        result.append(mean / weight)
    return result
