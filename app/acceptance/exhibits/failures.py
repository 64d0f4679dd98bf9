"""The exhibit of failed drafts in their contexts: what was drafted, what the text says instead, and by how much u
missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ptp_core import NoiseTape
from ptp_core.benchmark.rows import Call, Row
from ptp_core.methods import LOOKUP, TABLE

from ..links import race_query
from ..look import Look
from ..texts import looked_up, pieces, text_side
from ..words import counted
from .base import Drawing, Exhibit, Item

_SHOWN, _PER_QUESTION = 24, 2
_CONTEXT = 60  # characters before the place
_LONGEST_LINK = 2000  # characters of a link that is sent along; a prompt of pages has none here


def failed_calls(row: Row) -> Iterator[tuple[int, Call]]:
    """(position of the first wrong draft, its call) of every call whose draft failed."""
    for call in row.calls:
        if call.right[call.accepted : call.accepted + 1] == "0":
            yield call.start + call.accepted, call


def _named(look: Look, row: Row, position: int, call: Call) -> Call | None:
    """The call with its texts. Where the result does not hold them, the answer's own come from its tokens.

    Its draft may stay without a text. None where nothing is known.
    """
    if call.wrong:
        return call
    texts = text_side(look.shown)
    found = pieces(texts, row) if texts else None
    if texts is None or found is None:
        return None
    at, instead = len("".join(found[:position])), found[position] or texts.label(row.tokens[position])
    return replace(call, at=at, instead=instead, wrong=looked_up(texts, look.shown, row, call))


def _item(look: Look, row: Row, position: int, call: Call) -> Item:
    margin, confidence = row.margin[position], call.confidences[call.accepted]
    u = NoiseTape(row.seed)[position]
    return {
        "label": f"{row.question_id}, token {position + 1}", "value": confidence, "count": 1,
        "before": row.text[: call.at][-_CONTEXT:], "wrong": call.wrong, "instead": call.instead,
        "link": None if call.wrong else _link(look, row),
        "u": round(u, 4), "margin": margin, "confidence": confidence, "entropy": row.entropy[position],
        "text": f"u {u:.3f}, margin {'none' if margin is None else f'{margin:.3g}'}, confidence {confidence:.2f}",
    }  # fmt: skip


def _link(look: Look, row: Row) -> str | None:
    """The query of the row's race, where it is short."""
    found = race_query(look.shown, row)
    return found if found is None or len(found) <= _LONGEST_LINK else None


def _draw(look: Look) -> Drawing | None:
    found = [(row, position, call) for row in look.rows for position, call in failed_calls(row)]
    if not found:
        return None
    found.sort(key=lambda one: (not one[2].wrong, -one[2].confidences[one[2].accepted], one[0].question_id, one[1]))
    shown: list[Any] = []
    of_question: Counter[str] = Counter()
    for row, position, call in found:
        if of_question[row.question_id] < _PER_QUESTION and len(shown) < _SHOWN:
            told = _named(look, row, position, call)
            if told is not None:
                of_question[row.question_id] += 1
                shown.append(_item(look, row, position, told))
    return Drawing(shown, " ".join(_says(look, found, shown)))


def _says(look: Look, found: Sequence[tuple[Row, int, Call]], shown: Sequence[Item]) -> Iterator[str]:
    """Sentences: how many drafts failed, which are here, and what this result does not hold."""
    named = [row.question_id for row, _, call in found if call.wrong]
    lacks = len(named) < len(found) and not (shown and TABLE[look.method].drafts == LOOKUP)
    yield f"{counted(len(found), 'draft')} failed."
    if lacks:
        kept = f"{len(named):,} of them, in {counted(len(set(named)), 'answer')} of {len(look.rows)}"
        yield f"This result keeps the texts of {kept if named else 'none of them'}."
    if shown and all(item["wrong"] for item in shown):
        yield f"Here are the surest of {'these' if lacks else 'them'}, most confident first."
    elif shown:
        yield "Here are the surest of them; a race shows the draft itself."
    if lacks:
        yield "“Run a few questions here” makes a result that keeps every text."


FAILURES = Exhibit(
    "failures",
    "Failed drafts in context",
    "tokens",
    "The end of the text so far, the draft that failed, and the token that u picked from the target's odds instead.",
    "Compare margin and confidence: a small margin means that u lay close to another token.",
    _draw,
)
