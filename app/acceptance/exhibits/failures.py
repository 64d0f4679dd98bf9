"""The exhibit of failed drafts in their contexts: what was drafted, what the text says instead, and by how much u
missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ptp_core import NoiseTape
from ptp_core.benchmark.rows import Call, Row

from ..look import Look
from ..words import counted
from .base import Drawing, Exhibit, Item

_SHOWN, _PER_QUESTION = 24, 2
_CONTEXT = 60  # characters before the place


def failed_calls(row: Row) -> Iterator[tuple[int, Call]]:
    """(position of the first wrong draft, its call) of every call whose draft failed and is known by its text."""
    for call in row.calls:
        if call.wrong and call.accepted < len(call.confidences):
            yield call.start + call.accepted, call


def _item(row: Row, position: int, call: Call) -> Item:
    margin, confidence = row.margin[position], call.confidences[call.accepted]
    u = NoiseTape(row.seed)[position]
    return {
        "label": f"{row.question_id}, token {position + 1}", "value": confidence, "count": 1,
        "before": row.text[: call.at][-_CONTEXT:], "wrong": call.wrong, "instead": call.instead,
        "u": round(u, 4), "margin": margin, "confidence": confidence, "entropy": row.entropy[position],
        "text": f"u {u:.3f}, margin {'none' if margin is None else f'{margin:.3g}'}, confidence {confidence:.2f}",
    }  # fmt: skip


def _draw(look: Look) -> Drawing | None:
    found = [(row, position, call) for row in look.rows for position, call in failed_calls(row)]
    if not found:
        return None
    found.sort(key=lambda one: (-one[2].confidences[one[2].accepted], one[0].question_id, one[1]))
    shown: list[Any] = []
    of_question: Counter[str] = Counter()
    for row, position, call in found:
        if of_question[row.question_id] < _PER_QUESTION and len(shown) < _SHOWN:
            of_question[row.question_id] += 1
            shown.append(_item(row, position, call))
    answers = len({row.question_id for row, _, _ in found})
    few = "" if answers == len(look.rows) else f" in {counted(answers, 'answer')} of {len(look.rows)} that name them"
    says = f"{counted(len(found), 'draft')} failed{few}. Here are the surest of them, most confident first."
    return Drawing(shown, says)


FAILURES = Exhibit(
    "failures",
    "Failed drafts in context",
    "tokens",
    "The end of the text so far, the draft that failed, and the token that u picked from the target's odds instead.",
    "Compare margin and confidence: a small margin means that u lay close to another token.",
    _draw,
)
