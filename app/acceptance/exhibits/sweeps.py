"""Exhibits of a sweep: how a figure changes with one setting, a line a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ptp_core.benchmark.config import Point
from ptp_core.methods import BASELINE

from ..look import Look
from ..words import FIELDS, LABELS, counted, rounded
from .base import Drawing, Exhibit, Item, over_all

_FIGURES = (  # figure, its interval, title, unit
    ("tokens_per_call", "tokens_per_call_interval", "Tokens per call", ""),
    ("speedup_vs_ar", "speedup_interval", "Speed", "×"),
)


def sweeps(look: Look) -> Iterator[Exhibit]:
    """Two exhibits for each field that the result sweeps over."""
    for name in dict.fromkeys(p.field for p in look.shown.result.config.sweep):
        for figure, interval, title, unit in _FIGURES:
            yield Exhibit(
                f"sweep-{name}-{figure}",
                f"{title} against {FIELDS[name]}",
                "lines",
                "Each line is a method and each place is one setting. Whiskers are 95 % intervals over questions.",
                "More tokens per call need not be faster. Look where one line still rises and the other falls.",
                partial(_draw, name, figure, interval, unit),
                over=over_all,
                options={"axis": FIELDS[name], "y": "number", "unit": unit, "base": 1},
            )


def _draw(name: str, figure: str, interval: str, unit: str, look: Look) -> Drawing | None:
    shown = look.shown
    points = [p for p in shown.result.config.sweep if p.field == name and p.name in shown.summaries]
    lines = _lines(look, points, figure, interval, unit)
    if not lines:
        return None
    questions = counted(len(shown.result.questions), "question")
    return Drawing(
        [],
        f"{counted(len(points), 'setting')}, every method on the same {questions}.",
        {"places": [f"{p.value}" for p in points], "lines": lines},
    )


def _lines(look: Look, points: Sequence[Point], figure: str, interval: str, unit: str) -> list[dict[str, Any]]:
    summaries, lines = look.shown.summaries, []
    for method in dict.fromkeys(m for p in points for m in summaries[p.name]):
        items: list[Item] = []
        for p in points:
            f = summaries[p.name].get(method)
            f = f["by_category"].get(look.category) if f and look.category else f
            low, high = (f[interval] if f else None) or (None, None)
            value = f[figure] if f else None
            text = f"{LABELS[method]}, {p.value}: " + ("not run" if value is None else f"{value:.2f}{unit}")
            bounds = {"low": rounded(low), "high": rounded(high)}
            items.append({"label": str(p.value), "value": rounded(value), **bounds, "text": text})
        if method != BASELINE and any(item["value"] is not None for item in items):
            lines.append({"name": LABELS[method], "method": method, "items": items})
    return lines
