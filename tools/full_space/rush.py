"""All at once: every visitor presses Run at the same moment, and then each text is written once more, alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from .calls import Caller, alone
from .deadline import Deadline, Overdue
from .plan import Visit
from .tab import Tab

_LEAD = 1.5  # seconds between the order to click and the click, so that every page has it
ALONE_SECONDS = 60.0


@dataclass
class Came:
    """What one visitor got. Seconds count from the click; None: it did not come.

    shown    the first thing that told where the run stands: its place, or its text
    place    a place in the queue
    timed    a place with a time, in words like "about 12 s"
    told     the seconds that were shown there
    text     the first part of the text, or of a benchmark's progress
    foreign  marks of other visitors that came to this page
    same     whether every text on the page is the one that was written alone
    """

    visitor: int
    page: str
    model: str
    opened: float | None = None
    shown: float | None = None
    place: float | None = None
    timed: float | None = None
    told: float | None = None
    text: float | None = None
    done: float | None = None
    own: bool = True
    foreign: list[str] = field(default_factory=list)
    same: bool = False
    texts: list[str] = field(default_factory=list)
    wrong: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def rush(tabs: Sequence[Tab], callers: Sequence[Caller], deadline: Deadline, share: float) -> list[Came]:
    """Lets all click at one moment and waits until every run has ended, for `share` of the time left at most."""
    moment = time.time() + _LEAD
    for tab in tabs:
        tab.click(moment)
    time.sleep(max(moment - time.time(), 0.0))
    for caller in callers:
        caller.start()
    until = share * deadline.left
    waiting = list(tabs)

    def all_done() -> bool:
        waiting[:] = [tab for tab in waiting if not tab.has_ended]
        return not waiting

    with suppress(Overdue):  # those that did not end say so in what they got
        deadline.until("every run of the rush ends", all_done, until, every=0.5)
    for caller in callers:
        caller.join(max(min(deadline.left, until), 0.1))
    return [_of_tab(tab) for tab in tabs] + [_of_caller(caller) for caller in callers]


def _of_tab(tab: Tab) -> Came:
    heard, visit, marks = tab.heard(), tab.visit, tab.marks()
    came = Came(visit.number, visit.page, visit.model, round(tab.open_seconds, 1))
    came.place, came.timed, came.text, came.done = (
        heard.place_seconds, heard.time_seconds, heard.text_seconds, heard.done_seconds
    )  # fmt: skip
    came.told = heard.told_seconds
    came.shown = min((at for at in (came.place, came.text) if at is not None), default=None)
    came.own, came.foreign = visit.mark in marks, [mark for mark in marks if mark != visit.mark]
    if came.done is None or tab.errors or heard.toasts:
        told = [*tab.errors, *heard.toasts, *(heard.says[-1][1:] if came.done is None else ())]
        came.wrong = " | ".join(told)[:300] or "its run did not end"
    if came.done is not None:
        came.texts = tab.texts()
    return came


def _of_caller(caller: Caller) -> Came:
    visit = caller.visit
    came = Came(visit.number, visit.page, visit.model, texts=[caller.text] if caller.text else [])
    came.done = came.shown = came.text = caller.done_seconds if caller.text else None
    came.wrong = caller.error or ("" if caller.text else "its run did not end")
    return came


def compare(url: str, visitors: Sequence[Visit], came: Sequence[Came], deadline: Deadline) -> None:
    """Sets `same` for each visitor: its texts against the one that the lab writes when nobody else runs."""
    references = {visit.number: alone(url, visit, min(deadline.left, ALONE_SECONDS)) for visit in visitors}
    for one in came:
        mine = references[one.visitor]
        one.same = len(one.texts) > 0 and bool(mine) and all(text == mine for text in one.texts)
        theirs = [number for number, text in references.items() if text in one.texts and text != mine]
        one.foreign += [f"the text of visitor {number}" for number in theirs]
