"""The picture of a study as an SVG for the docs.

    python -m tools.study_picture assets/benchmarks/studies/does-u-pay.json docs/does-u-pay.svg

The left panel has tokens per call of one experiment. The right one shows how far each kind of another is ahead of
its u-blind kind.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ptp_core.training.pretraining.study import Experiment, Point, Study

CURVE, AHEAD = "ptp-small-longer", "ptp-small-four"  # experiments
_PANEL, _HEIGHT, _LEFT, _TOP, _BOTTOM = 420, 300, 46, 46, 42
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2a33 } .soft { fill: #5b6472 } .title { font-weight: 600 }
.axis { stroke: #9aa4ad } .base { stroke: #9aa4ad; stroke-dasharray: 3 3 } .k0 { --c: #0f7f7a } .k1 { --c: #b45309 }
.k2 { --c: #3b4fa8 } .k3 { --c: #5b6472 } path, line.w { stroke: var(--c); fill: none; stroke-width: 1.6 }
circle { fill: var(--c) } text.k { fill: var(--c) } rect { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #e6e9ec } .soft { fill: #a9b3bc } rect { fill: #14191d }
.k0 { --c: #4cc4bd } .k1 { --c: #e59a4d } .k2 { --c: #93a4f0 } .k3 { --c: #a9b3bc } }
"""


@dataclass(frozen=True)
class Mark:
    """A point with its interval of 95 %."""

    x: float
    y: float
    low: float
    high: float


def ahead(point: Point) -> Mark | None:
    """How far ahead of the u-blind kind; None for that kind itself."""
    if point.ahead is None:
        return None
    value, error = point.ahead
    return Mark(point.targets, value, value - 1.96 * error, value + 1.96 * error)


def level(point: Point) -> Mark:
    """Tokens per call."""
    low, high = point.interval or (point.tokens_per_call, point.tokens_per_call)
    return Mark(point.targets, point.tokens_per_call, low, high)


def picture(study: Study) -> str:
    """The SVG's text. KeyError if the study lacks one of the experiments."""
    found = {one.id: one for one in study.experiments}
    names = list(dict.fromkeys([*found[AHEAD].kinds, *found[CURVE].kinds]))
    parts = [
        *_panel(0, found[CURVE], "Tokens per call, two kinds", level, names),
        *_panel(_PANEL, found[AHEAD], "Tokens per call ahead of u-blind, one start", ahead, names),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _PANEL} {_HEIGHT}" role="img">'
    title = f"<title>{escape(study.title)}</title><style>{_STYLE}</style>"
    return "\n".join([head, title, f'<rect width="{2 * _PANEL}" height="{_HEIGHT}"/>', *parts, "</svg>"]) + "\n"


def _panel(
    left: int, one: Experiment, title: str, read: Callable[[Point], Mark | None], names: Sequence[str]
) -> list[str]:
    lines = {kind: [mark for point in points if (mark := read(point))] for kind, points in one.kinds.items()}
    lines = {kind: marks for kind, marks in lines.items() if marks}
    marks = [mark for each in lines.values() for mark in each]
    most, low, high = max(m.x for m in marks), min(m.low for m in marks), max(m.high for m in marks)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)

    def x(value: float) -> float:
        return round(left + _LEFT + value / most * (_PANEL - _LEFT - 20), 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - 24 - _BOTTOM), 1)

    bottom = _HEIGHT - _BOTTOM
    parts = [
        f'<text class="title" x="{left + 12}" y="20">{escape(title)}</text>',
        f'<line class="axis" x1="{left + _LEFT}" y1="{bottom}" x2="{left + _PANEL - 16}" y2="{bottom}"/>',
        f'<text class="soft" x="{x(most)}" y="{bottom + 32}" text-anchor="end">targets seen, in millions</text>',
    ]
    for value in ticks(0, most):
        text = f"{value / 1e6:g}"
        parts.append(f'<text class="soft" x="{x(value)}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    for value in ticks(low, high):
        parts.append(f'<text class="soft" x="{left + _LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{value:g}</text>')
    if low < 0 < high:
        parts.append(f'<line class="base" x1="{left + _LEFT}" y1="{y(0)}" x2="{left + _PANEL - 16}" y2="{y(0)}"/>')
    for row, (kind, each) in enumerate(lines.items()):
        look = f"k{min(names.index(kind), 3)}"  # both u-blind kinds look alike
        path = "M" + "L".join(f"{x(m.x)} {y(m.y)}" for m in each)
        parts += [f'<g class="{look}"><path d="{path}"/>']
        parts += [f'<line class="w" x1="{x(m.x)}" y1="{y(m.low)}" x2="{x(m.x)}" y2="{y(m.high)}"/>' for m in each]
        parts += [f'<circle cx="{x(m.x)}" cy="{y(m.y)}" r="3.5"/>' for m in each]
        across, down = left + 12 + 186 * (row % 2), 38 + 16 * (row // 2)
        parts += [f'<circle cx="{across + 5}" cy="{down - 4}" r="3.5"/>']
        parts += [f'<text class="k" x="{across + 14}" y="{down}">{escape(kind)}</text></g>']
    return parts


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, about five of them."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999)
    return [round(k * step, 9) + 0.0 for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


if __name__ == "__main__":
    source, out = sys.argv[1:]
    Path(out).write_text(picture(Study.from_json(source)), encoding="utf-8")
