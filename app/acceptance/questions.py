"""The questions behind one bar of an exhibit, and what each of them had part in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ptp_core.benchmark.acceptance import (
    DraftFact,
    accepted_lengths,
    allocator_gain,
    by_class,
    by_confidence,
    by_entropy,
    by_margin,
    by_position,
    drafts_of,
    wasted_slots,
)
from ptp_core.benchmark.rows import Row

from .results import Shown

_MOST = 60  # questions in one answer; the others are counted
_PROMPT, _TEXT = 240, 240  # characters

_SHARES: dict[str, Callable[[Sequence[DraftFact]], Sequence[Any]]] = {
    "position": by_position,
    "entropy": by_entropy,
    "margin": by_margin,
    "class": by_class,
}


def questions_view(
    shown: Shown,
    method: str,
    point: str,
    category: str | None,
    exhibit: str,
    index: int,
    link: Callable[[Row], str | None],
) -> dict[str, Any]:
    """The questions with a part in bar `index` of this exhibit, largest part first; ValueError for a bar that is not
    there. link gives the query of a row's race."""
    if exhibit == "category":
        if not 0 <= index < len(shown.categories):
            raise ValueError("This chart has no such bar.")
        category = shown.categories[index]
    prompts = {q.question_id: q.prompt for q in shown.result.questions}
    found = []
    for row in shown.select(method, point, category):
        part = _part(shown, row, method, point, exhibit, index)
        if part is not None and part[1]:
            found.append((row, part))
    found.sort(key=lambda pair: (-pair[1][1], pair[0].question_id))
    return {
        "total": len(found),
        "questions": [
            {
                "id": row.question_id,
                "category": row.category,
                "prompt": prompts.get(row.question_id, "")[:_PROMPT],
                "text": row.text[:_TEXT],
                "right": right,
                "count": count,
                "says": says,
                "tokens": row.num_tokens,
                "calls": row.num_calls,
                "seed": row.seed,
                "link": link(row),
            }
            for row, (right, count, says) in found[:_MOST]
        ],
    }


def _part(shown: Shown, row: Row, method: str, point: str, exhibit: str, index: int) -> tuple[float, float, str] | None:
    """(right, count, in words) of this row in the bar; None where it has no part."""
    if index < 0:
        raise ValueError("This chart has no such bar.")
    if exhibit == "category":
        return row.num_tokens, row.num_calls, f"{row.num_tokens} tokens in {row.num_calls} calls"
    if exhibit in _SHARES:
        shares = _SHARES[exhibit](drafts_of([row]))
        return _of(shares[index].right, shares[index].count, "right") if index < len(shares) else None
    if exhibit == "confidence":
        bins = by_confidence(drafts_of([row]))
        return _of(bins[index]["right"], bins[index]["count"], "right") if index < len(bins) else None
    if exhibit == "lengths":
        lengths = accepted_lengths(row.calls)
        seen = lengths["observed"][index] if index < len(lengths["observed"]) else 0
        return (seen, seen, f"{seen} of {lengths['count']} calls") if seen else None
    if exhibit == "slots":
        parts = wasted_slots([row], shown.drafter(method, point).num_settled)
        slots = parts[index].right if index < len(parts) else 0
        return (slots, slots, f"{slots} of {parts[index].count} slots") if slots else None
    if exhibit == "allocator":
        gains = allocator_gain([row])["bins"]
        found = gains[index] if index < len(gains) else {"count": 0}
        if not found["count"]:
            return None
        says = f"{found['count']} calls, {found['realised']:.2f} right drafts each"
        return found["realised"] * found["count"], found["count"], says
    raise ValueError("This chart has no questions behind it.")


def _of(right: int, count: int, word: str) -> tuple[float, float, str]:
    return right, count, f"{right} of {count} {word}"
