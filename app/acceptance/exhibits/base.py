"""What an exhibit is: one chart for one question about a result, and the questions behind each of its bars.

app/static/charts draws its kind:
  bars   columns with intervals, each with an optional second value ("mark")
  rows   bars that lie, for long labels
  curve  points against a diagonal
  lines  several series over the same places
  tokens no chart but a table: drafts in their contexts (app/static/acceptance/failures.js)

Every bar carries its own sentence ("text"), so that nothing is worked out again in the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ptp_core.benchmark.rows import Row

from ..look import Look
from ..words import LABELS, counted, machine, percent, point_words, rounded

Item = dict[str, Any]  # a bar: label, value, low, high, count, text


@dataclass(frozen=True)
class Part:
    """What one question contributes to one bar: right of count, and that in words."""

    right: float
    count: float
    says: str


@dataclass(frozen=True)
class Drawing:
    """The bars of an exhibit, the one sentence with its counts, and what only this kind of chart has."""

    items: list[Item]
    says: str
    more: Mapping[str, Any] = field(default_factory=dict)


def over_rows(look: Look) -> str:
    """What an exhibit of a method stands on: tokens, questions, machine."""
    tokens = sum(row.num_tokens for row in look.rows)
    only = f" of category {look.category}" if look.category else ""
    where = f" at {point_words(look.point)}" if look.point else ""
    questions = counted(len(look.rows), "question")
    return f"{LABELS[look.method]}{where}, {tokens:,} tokens of {questions}{only}; {machine(look.shown)}"


def over_all(look: Look) -> str:
    """What an exhibit of all methods stands on: machine, and category if only one counts."""
    return f"{machine(look.shown)}{f'; category {look.category}' if look.category else ''}"


@dataclass(frozen=True)
class Exhibit:
    """One chart. what: two lines on what is seen; attempt: something to try.

    draw(look) gives the bars, or None where there is nothing to show. parts(look, row) gives what a question
    contributes, by the label of the bar; an exhibit without it has no questions behind its bars. rows(look) are
    the questions that count, over(look) says what they are.
    """

    id: str
    title: str
    kind: str
    what: str
    attempt: str
    draw: Callable[[Look], Drawing | None]
    parts: Callable[[Look, Row], dict[str, Part]] | None = None
    rows: Callable[[Look], Sequence[Row]] = lambda look: look.rows
    over: Callable[[Look], str] = over_rows
    options: Mapping[str, Any] = field(default_factory=dict)  # axis, noun, y, mark, unit, base: for the chart

    def view(self, look: Look) -> dict[str, Any] | None:
        """The exhibit as the browser draws it; None where there is nothing to show."""
        drawing = self.draw(look)
        if drawing is None:
            return None
        return {
            "id": self.id,
            "title": self.title,
            "kind": self.kind,
            "items": drawing.items,
            "what": self.what,
            "try": self.attempt,
            "says": drawing.says,
            "over": self.over(look),
            "drill": self.parts is not None,
            **self.options,
            **drawing.more,
        }

    def behind(self, look: Look, index: int) -> Iterator[tuple[Row, Part]]:
        """The questions with a part in bar `index`; ValueError with a sentence for a bar that is not there."""
        drawing = self.draw(look)
        if self.parts is None or drawing is None:
            raise ValueError("This chart has no questions behind it.")
        if not 0 <= index < len(drawing.items):
            raise ValueError("This chart has no such bar.")
        label = drawing.items[index]["label"]
        for row in self.rows(look):
            part = self.parts(look, row).get(label)
            if part is not None and part.count:
                yield row, part


def share_item(share: Mapping[str, Any], noun: str = "right") -> Item:
    """The bar of a ptp_core Share (as a dictionary)."""
    text = f"{share['right']:,} of {share['count']:,} {noun}" if share["count"] else "none seen"
    if share["count"]:
        text += f": {percent(share['share'])}, 95 % between {percent(share['low'])} and {percent(share['high'])}"
    between = {key: rounded(share[key]) for key in ("low", "high")}
    return {"label": share["label"], "value": rounded(share["share"]), **between, "count": share["count"], "text": text}
