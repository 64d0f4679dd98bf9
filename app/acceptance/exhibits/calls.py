"""Exhibits about calls: how many drafts they accept, where their slots went, and what the allocator expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptp_core.benchmark.acceptance import accepted_lengths, allocator_gain, wasted_slots
from ptp_core.benchmark.rows import Row

from ..look import Look
from ..words import counted, percent, rounded
from .base import Drawing, Exhibit, Item, Part, share_item
from .drafts import drafted

_NOT_WASTED = ("right drafts", "settled by verification")


def _draw_lengths(look: Look) -> Drawing | None:
    analysis = drafted(look)
    found = analysis and analysis["lengths"]
    if not found or not found["count"]:
        return None
    items: list[Item] = [
        {
            "label": str(n), "value": seen, "mark": round(expected, 2), "count": seen,
            "text": f"{counted(seen, 'call')} accepted {counted(n, 'draft')}; the geometric fit expects {expected:.1f}",
        }
        for n, (seen, expected) in enumerate(zip(found["observed"], found["expected"], strict=True))
    ]  # fmt: skip
    return Drawing(
        items,
        f"{counted(found['count'], 'verifying call')} accepted {found['mean']:.2f} drafts on average; "
        f"the fit has chance {found['rate']:.2f} per draft.",
    )


def _length_parts(look: Look, row: Row) -> dict[str, Part]:
    lengths = accepted_lengths(row.calls)
    return {
        str(n): Part(seen, seen, f"{seen} of {lengths['count']} calls") for n, seen in enumerate(lengths["observed"])
    }


def _draw_slots(look: Look) -> Drawing | None:
    found = look.analysis
    total = found["slots"][0]["count"] if found and found["slots"] else 0
    if not found or not total:
        return None
    wasted = sum(s["right"] for s in found["slots"] if s["label"] not in _NOT_WASTED)
    return Drawing(
        [share_item(s, "slots") for s in found["slots"]],
        f"Of {counted(total, 'slot')}, {percent(wasted / total)} brought nothing.",
    )


def _slot_parts(look: Look, row: Row) -> dict[str, Part]:
    slots = wasted_slots([row], look.drafter.num_settled)
    return {s.label: Part(s.right, s.right, f"{s.right} of {s.count} slots") for s in slots}


def _expected_label(label: str) -> str:
    return f"expected {label}"


def _gain_text(b: Mapping[str, Any]) -> str:
    if not b["count"]:
        return "no call"
    return f"{counted(b['count'], 'call')}: {b['expected']:.2f} right drafts expected, {b['realised']:.2f} came"


def _draw_allocator(look: Look) -> Drawing | None:
    analysis = drafted(look)
    found = analysis and analysis["allocator"]
    if not found or not found["calls"] or not found["expected"]:
        return None
    items: list[Item] = [
        {
            "label": _expected_label(b["label"]), "x": rounded(b["expected"]), "value": rounded(b["realised"]),
            "low": None, "high": None, "count": b["count"],
            "text": _gain_text(b),
        }
        for b in found["bins"]
    ]  # fmt: skip
    between = found["ratio_interval"]
    spread = f" (95 % between {between[0]:.2f} and {between[1]:.2f})" if between else ""
    return Drawing(
        items,
        f"Over {counted(found['calls'], 'call')}, {found['realised']:,} right drafts came of {found['expected']:,.0f} "
        f"expected: ratio {found['ratio']:.2f}{spread}.",
    )


def _gain_parts(look: Look, row: Row) -> dict[str, Part]:
    return {
        _expected_label(b["label"]): Part(
            b["realised"] * b["count"], b["count"], f"{b['count']} calls, {b['realised']:.2f} right drafts each"
        )
        for b in allocator_gain([row])["bins"]
        if b["count"]
    }


LENGTHS = Exhibit(
    "lengths",
    "How many drafts a call accepts",
    "bars",
    "Calls by the number of drafts they accepted. The ring is what one constant chance per draft would give.",
    "Right bars above their rings mean that some stretches of text are easy throughout. Budgets should follow them.",
    _draw_lengths,
    _length_parts,
    options={"axis": "drafts accepted", "noun": "accepted", "y": "count", "mark": "geometric fit"},
)
SLOTS = Exhibit(
    "slots",
    "Where the budget went",
    "rows",
    "A slot costs the same whether its draft is used or not. Here is what became of each.",
    "Choose “branch not kept”: these slots were spent on outcomes that did not come true.",
    _draw_slots,
    _slot_parts,
    options={"y": "share"},
)
ALLOCATOR = Exhibit(
    "allocator",
    "Promise and delivery",
    "curve",
    "The allocator places slots by how many right drafts it expects from them. Did they come?",
    "Above the diagonal it expected too little, below it too much. It expects what the adapter's own figures say.",
    _draw_allocator,
    _gain_parts,
    options={"axis": "expected right drafts", "y": "number"},
)
