"""Exhibits about single drafts: which of them were right, by place, by the target, by kind of token, by confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ptp_core.benchmark.acceptance import (
    DraftFact,
    by_class,
    by_confidence,
    by_entropy,
    by_margin,
    by_position,
    drafts_of,
)
from ptp_core.benchmark.rows import Row

from ..look import Look
from ..words import counted, percent, rounded
from .base import Drawing, Exhibit, Item, Part, share_item


def drafted(look: Look) -> dict[str, Any] | None:
    """The analysis of a method that verified a draft; else None."""
    found = look.analysis
    return found if found and found["num_drafts"] else None


def _parts(by: Callable[[Sequence[DraftFact]], Sequence[Any]]) -> Callable[[Look, Row], dict[str, Part]]:
    """What a question contributes to each share of `by`."""

    def parts(look: Look, row: Row) -> dict[str, Part]:
        shares = by(drafts_of([row]))
        return {s.label: Part(s.right, s.count, f"{s.right} of {s.count} right") for s in shares}

    return parts


def _shares(key: str, says: str) -> Callable[[Look], Drawing | None]:
    """Draws one list of shares of the analysis; says gets the number of drafts that verification reached."""

    def draw(look: Look) -> Drawing | None:
        found = drafted(look)
        if found is None:
            return None
        reached = counted(found["num_reached"], "draft")
        return Drawing([share_item(s) for s in found[key]], f"{says} at {reached} that verification reached.")

    return draw


def _draw_position(look: Look) -> Drawing | None:
    found = drafted(look)
    if found is None:
        return None
    items = [share_item(s) for s in found["by_position"]]
    for item, alone in zip(items, found["by_position_alone"], strict=True):
        item["mark"] = rounded(alone["share"])
        item["text"] += f". Right at its own place, whatever came before: {percent(alone['share'])}"
    first = found["by_position"][0]
    return Drawing(
        items,
        f"The first draft of a call was right in {percent(first['share'])} of {counted(first['count'], 'call')}; "
        f"each bar counts only drafts behind right ones ({found['num_reached']:,} of {found['num_drafts']:,} drafts).",
    )


def _confidence_label(label: str) -> str:
    return f"confidence {label}"


def _draw_confidence(look: Look) -> Drawing | None:
    found = drafted(look)
    if found is None or found["calibration_error"] is None:
        return None
    items: list[Item] = [
        {**share_item(s), "x": rounded(s["mean_confidence"]), "label": _confidence_label(s["label"])}
        for s in found["by_confidence"]
    ]
    return Drawing(
        items,
        f"Expected calibration error {found['calibration_error']:.3f} over {counted(found['num_reached'], 'draft')} "
        "that verification reached.",
    )


def _confidence_parts(look: Look, row: Row) -> dict[str, Part]:
    return {
        _confidence_label(b["label"]): Part(b["right"], b["count"], f"{b['right']} of {b['count']} right")
        for b in by_confidence(drafts_of([row]))
    }


POSITION = Exhibit(
    "position",
    "By place in the call",
    "bars",
    "How often a draft was right when all drafts before it were. The ring counts every draft at that place.",
    "If the bars stay level, later drafts are as good as the first. Then more drafts per call pay.",
    _draw_position,
    _parts(by_position),
    options={"axis": "draft position", "noun": "draft", "y": "share", "mark": "right at its own place"},
)
ENTROPY = Exhibit(
    "entropy",
    "By the target's entropy",
    "bars",
    "How many drafts were right where the target was sure (left) and where several tokens were likely (right).",
    "Compare with u-blind drafts. Knowing u helps only a draft that knows the target's odds well.",
    _shares("by_entropy", "Entropy of the target's distribution"),
    _parts(by_entropy),
    options={"axis": "entropy of the target, nats", "noun": "entropy", "y": "share"},
)
MARGIN = Exhibit(
    "margin",
    "By how close the call was",
    "bars",
    "The margin is the distance from u to the edge of another token. At a small margin, small errors count.",
    "Look at the left bars. These drafts needed the target's probabilities to within one percent.",
    _shares("by_margin", "Margin of u"),
    _parts(by_margin),
    options={"axis": "distance of u from the next token's edge", "noun": "margin", "y": "share"},
)
CLASS = Exhibit(
    "class",
    "By kind of token",
    "rows",
    "Some kinds of token are easier to predict, such as the second half of a word or a closing bracket.",
    "Choose a bar to see the questions that have such tokens.",
    _shares("by_class", "Class of the text's token"),
    _parts(by_class),
    options={"axis": "", "noun": "", "y": "share"},
)
CONFIDENCE = Exhibit(
    "confidence",
    "Does it know when it is right?",
    "curve",
    "Each point is a group of drafts of similar confidence. On the diagonal, 70 % sure means right 7 times in 10.",
    "Drafts below the diagonal are overconfident. The allocator spends slots by these confidences.",
    _draw_confidence,
    _confidence_parts,
    options={"axis": "confidence of the draft", "y": "share"},
)
