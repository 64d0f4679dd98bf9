"""Exhibits about time: what a call costs on a machine, and how fast decoding could be by that price."""

from __future__ import annotations

from ..look import Look
from ..words import counted, machine, percent, rounded
from .base import Drawing, Exhibit, Item


def _draw_bounds(look: Look) -> Drawing | None:
    analysis = look.analysis
    found = analysis and analysis["bounds"]
    if not found or not found["speedup_after_prompt"]:
        return None
    bound = found["cost_bound"]
    bars = [
        ("plain decoding", 1.0, "the autoregressive baseline, by definition"),
        ("behind the prompt", found["speedup_after_prompt"], "measured; the call that reads the prompt left out"),
        ("nothing wasted", found["oracle_speedup"], "the same drafts accepted, no slot or wrong draft paid for"),
        ("best fixed depth", bound["speedup"], f"{counted(bound['drafts'], 'draft')} per call by the cost curve"),
    ]
    items: list[Item] = [
        {"label": label, "value": rounded(value), "count": 1, "text": f"{value:.2f}×: {text}"}
        for label, value, text in bars
        if value is not None
    ]
    own = "" if found["own_run"] else " There are too few calls here, so acceptance is the adapter's own figure."
    if found["reached"] > 1.05:
        own += " It passes the bound: looked-up drafts cost only a row, or the machine was not equally fast for all."
    return Drawing(
        items,
        f"Measured {found['speedup_after_prompt']:.2f}× behind the prompt, {percent(found['reached'])} of the bound of "
        f"{bound['speedup']:.2f}×. The table's speed-up also counts the call that reads the prompt.{own}",
    )


def _draw_cost(look: Look) -> Drawing | None:
    curve = look.shown.result.curve
    if curve is None:
        return None
    items: list[Item] = [
        {"label": str(n), "value": round(ms, 3), "low": None, "high": None, "text": f"{n} positions: {ms:.1f} ms"}
        for n, ms in zip(curve.positions, curve.milliseconds, strict=True)
    ]
    dearer = curve.ms(curve.positions[-1]) / curve.ms(1)
    return Drawing(
        [],
        f"{curve.positions[-1]} positions cost {dearer:.1f} times as much as one.",
        {
            "places": [str(n) for n in curve.positions],
            "lines": [{"name": "one call", "method": look.method, "items": items}],
        },
    )


BOUNDS = Exhibit(
    "bounds",
    "How fast could it be here?",
    "rows",
    "Two limits by the measured price of a call: with the best fixed number of drafts, and with hindsight.",
    "The headline counts reading the prompt too, which no method speeds up. A limit near 1 comes from the machine: "
    "each further position costs time here.",
    _draw_bounds,
    options={"y": "number", "unit": "×"},
)
COST = Exhibit(
    "cost",
    "What a call costs here",
    "lines",
    "Milliseconds of one model call by the positions it carries: the last token, drafts to check, slots.",
    "Where the line is flat, drafts are free. Where it rises, each draft must earn its time.",
    _draw_cost,
    over=lambda look: machine(look.shown),
    options={"axis": "positions in the call", "y": "number", "unit": " ms", "base": 0},
)
