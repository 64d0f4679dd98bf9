"""A benchmark's result as a page of its own, with Plotly: python -m ptp_core results RESULT.json --html report.html"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .result import BenchResult
from .tables import made_where

_COLOURS = ("#0f7f7a", "#b45309", "#3b4fa8", "#a3341f", "#5b6472", "#7a5ea8")
_SHARES = {
    "by_position": "Right drafts by position, all earlier ones right",
    "by_class": "by class of the text's token",
    "by_entropy": "by the target's entropy (nats)",
    "by_margin": "by how far u was from another token",
}
_HEADLINES = (("tokens_per_call", "tokens_per_call_interval"), ("speedup_vs_ar", "speedup_interval"))
_PLACES = {name: (2 + i // 2, 1 + i % 2) for i, name in enumerate(_SHARES)}


def bench_figure(result: BenchResult) -> go.Figure:
    """Speed, acceptance and waste of a result's methods, and its sweeps."""
    titles = (
        "Tokens per call", "Speed-up over ar", *_SHARES.values(), "Confidence against truth",
        "Accepted drafts per verifying call (line: one constant chance)", "Where the slots went",
        "Milliseconds of a call by its positions", "Sweeps: tokens per call", "Sweeps: speed-up over ar",
    )  # fmt: skip
    picture = make_subplots(rows=6, cols=2, subplot_titles=titles, vertical_spacing=0.06)
    methods, analysis = result.methods, result.analysis()
    colours = dict(zip(dict.fromkeys(r.method for r in result.rows), _COLOURS * 2, strict=False))
    for method, f in methods.items():
        look: dict[str, Any] = {"marker": {"color": colours[method]}, "name": method, "showlegend": False}
        for col, (value, interval) in enumerate(_HEADLINES, start=1):
            if f[value] is not None:
                spread = _error([f[value]], [f[interval]])
                picture.add_bar(x=[method], y=[f[value]], error_y=spread, **look, row=1, col=col)
    for method, found in analysis.items():
        look = {"marker": {"color": colours[method]}, "name": method, "legendgroup": method}
        for name, (row, col) in _PLACES.items():
            _add_shares(picture, found[name], {**look, "showlegend": name == "by_position"}, row, col)
        _add_calls(picture, found, {**look, "showlegend": False})
    if result.curve:
        curve = result.curve
        line = {"color": _COLOURS[4]}
        picture.add_scatter(
            x=curve.positions, y=curve.milliseconds, name="cost", showlegend=False, line=line, row=5, col=2
        )
    _add_sweeps(picture, result, colours)
    for row, col in ((2, 1), (2, 2), (3, 1), (3, 2), (4, 1)):
        picture.update_yaxes(range=[0, 1], row=row, col=col)
    picture.update_layout(template="simple_white", height=2200, title=made_where(result), barmode="group")
    return picture


def _error(values: Sequence[float], intervals: Sequence[Sequence[float] | None]) -> dict[str, Any]:
    """Plotly's error bars from intervals around values; none where an interval is None."""
    ends = [interval or (value, value) for value, interval in zip(values, intervals, strict=True)]
    above = [high - value for value, (_, high) in zip(values, ends, strict=True)]
    below = [value - low for value, (low, _) in zip(values, ends, strict=True)]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below}


def _add_shares(picture: go.Figure, shares: Sequence[dict[str, Any]], look: dict[str, Any], row: int, col: int) -> None:
    counted = [s for s in shares if s["count"]]
    picture.add_bar(
        x=[s["label"] for s in counted], y=[s["share"] for s in counted],
        error_y=_error([s["share"] for s in counted], [(s["low"], s["high"]) for s in counted]),
        hovertext=[f"{s['right']} of {s['count']} drafts" for s in counted], **look, row=row, col=col,
    )  # fmt: skip


def _add_calls(picture: go.Figure, found: dict[str, Any], look: dict[str, Any]) -> None:
    """Calibration, accepted lengths and slots of one method."""
    curve = [s for s in found["by_confidence"] if s["count"]]
    picture.add_scatter(
        x=[s["mean_confidence"] for s in curve], y=[s["share"] for s in curve], mode="lines+markers",
        hovertext=[f"{s['count']} drafts" for s in curve], **look, row=4, col=1,
    )  # fmt: skip
    lengths = found["lengths"]
    places = list(range(len(lengths["observed"])))
    picture.add_bar(x=places, y=lengths["observed"], **look, row=4, col=2)
    picture.add_scatter(x=places, y=lengths["expected"], mode="lines", **look, row=4, col=2)
    slots = [s for s in found["slots"] if s["count"]]
    picture.add_bar(x=[s["label"] for s in slots], y=[s["share"] for s in slots], **look, row=5, col=1)


def _add_sweeps(picture: go.Figure, result: BenchResult, colours: dict[str, str]) -> None:
    points = result.points
    for name in dict.fromkeys(p.field for p in result.config.sweep):
        chosen = [p for p in result.config.sweep if p.field == name]
        for method in dict.fromkeys(m for p in chosen for m in points.get(p.name, {})):
            there = [(p, points[p.name][method]) for p in chosen if method in points.get(p.name, {})]
            x = [f"{name} {p.value}" for p, _ in there]
            for col, value in ((1, "tokens_per_call"), (2, "speedup_vs_ar")):
                picture.add_scatter(
                    x=x, y=[f[value] for _, f in there], name=f"{method}, {name}", mode="lines+markers",
                    line={"color": colours[method]}, showlegend=col == 1, row=6, col=col,
                )  # fmt: skip


def write_bench_report(result: BenchResult, out: str | os.PathLike[str]) -> Path:
    """Writes a result's page, which needs nothing from the network; returns its path."""
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    bench_figure(result).write_html(path, include_plotlyjs=True)
    return path
