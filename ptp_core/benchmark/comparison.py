"""Who knows the next token: the target's likeliest token and each kind of draft, by entropy and by margin.

A draft that is right where the likeliest token is wrong has used the noise. So each kind of draft stands beside the
target's likeliest token at the very same places. The places of two methods differ, for calls dwell where drafts fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..methods import TABLE
from .acceptance import ENTROPY_EDGES, MARGIN_EDGES, Share, binned, share
from .rows import Row

LACKING = (
    "This result does not say where the text took the target's likeliest token. "
    "Answers by ar that are measured anew say it."
)


@dataclass(frozen=True)
class Fact:
    """One place of a text: the target's entropy and u's margin there, and which guesses were right.

    drafted: whether a draft was, None where there was none. likeliest: whether the target's likeliest token was, None
    where that is not known.
    """

    entropy: float
    margin: float | None
    drafted: bool | None
    likeliest: bool | None


def compare(rows: Sequence[Row], ar: Sequence[Row]) -> dict[str, Any]:
    """Shares of right tokens as plain data: {"lines": [...], "lacking": None or a sentence}.

    The first line is the target's likeliest token at every place of ar's texts. Then comes a line per method and
    draft rule, over its reached drafts, with "likeliest" beside it at the same places. A line has "name", "label",
    "rule" and, for each of "drafts" and "likeliest", {"all": Share, "by_entropy": [Share], "by_margin": [Share]} or
    None. ar = the same questions by ar: older rows of the others take the likeliest token from there.
    """
    known = {row.question_id: row for row in ar if row.likeliest}
    every = [fact for row in known.values() for fact in _places(row)]
    lines = [_line("target", "the target's likeliest token", "", every)] if every else []
    for method, rule in dict.fromkeys((row.method, row.draft_rule) for row in rows):
        own = [row for row in rows if (row.method, row.draft_rule) == (method, rule)]
        facts = [fact for row in own for fact in _drafts(row, known.get(row.question_id))]
        if facts:
            lines.append(_line(method, TABLE[method].label, rule, facts))
    return {"lines": lines, "lacking": None if every else LACKING}


def _places(row: Row) -> list[Fact]:
    told = zip(row.entropy, row.margin, row.likeliest, strict=True)
    return [Fact(entropy, margin, None, flag == "1") for entropy, margin, flag in told]


def _drafts(row: Row, reference: Row | None) -> list[Fact]:
    """The reached drafts of one answer, those behind its end left out."""
    source = row.likeliest or (reference.likeliest if reference and reference.tokens == row.tokens else "")
    found = []
    for call in row.calls:
        for i, right in enumerate(call.right[: call.accepted + 1]):
            place = call.start + i
            if right != "-":
                flag = source[place] == "1" if source else None
                found.append(Fact(row.entropy[place], row.margin[place], right == "1", flag))
    return found


def _line(name: str, label: str, rule: str, facts: Sequence[Fact]) -> dict[str, Any]:
    drafted = [(f, f.drafted) for f in facts if f.drafted is not None]
    likeliest = [(f, f.likeliest) for f in facts if f.likeliest is not None]
    parts = {"drafts": _shares(drafted), "likeliest": _shares(likeliest)}
    return {"name": name, "label": label, "rule": rule, **parts}


def _shares(pairs: Sequence[tuple[Fact, bool | None]]) -> dict[str, Any] | None:
    if not pairs:
        return None
    choice = [pair for pair in pairs if pair[0].margin is not None]
    certain = [pair for pair in pairs if pair[0].margin is None]
    by_margin = [
        *binned(choice, lambda p: p[0].margin, MARGIN_EDGES, _is_right),
        share("no other token", sum(map(_is_right, certain)), len(certain)),
    ]
    by_entropy = binned(pairs, lambda p: p[0].entropy, ENTROPY_EDGES, _is_right)
    whole = share("all", sum(map(_is_right, pairs)), len(pairs))
    return {"all": asdict(whole), "by_entropy": _plain(by_entropy), "by_margin": _plain(by_margin)}


def _is_right(pair: tuple[Fact, bool | None]) -> bool:
    return bool(pair[1])


def _plain(shares: Sequence[Share]) -> list[dict[str, Any]]:
    return [asdict(each) for each in shares]
