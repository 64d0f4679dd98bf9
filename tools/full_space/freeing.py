"""Stop and closed tabs free their places: the others move up, and the next run begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from playwright.sync_api import Browser

from ptp_core.storage.built_in import DEFAULT

from .deadline import Deadline, Overdue
from .plan import LONG, RACE, SMALL, asking
from .tab import Tab, open_tabs

_SECONDS = 60.0  # for which anything is waited for
WAYS: dict[str, Callable[[Tab], None]] = {"stop": Tab.stop, "close": Tab.close}


def freeing(
    browser: Browser, url: str, way: str, first_number: int, tokens: int, deadline: Deadline
) -> dict[str, float | None]:
    """Four visitors ask in turn, the first for a long text. The second goes while it waits, the first while it runs.

    way: "stop" or "close". Returns the seconds until the third and the fourth moved up, and until the third began;
    None where that did not happen. Raises Overdue where the long text ended by itself.
    """
    first = asking(first_number, RACE, DEFAULT, tokens, LONG)
    others = [asking(first_number + i, RACE, SMALL, 16) for i in (1, 2, 3)]
    tabs = open_tabs(browser, url, [first, *others], deadline)
    runs, waits, third, fourth = tabs
    here = list(tabs)

    def go(tab: Tab) -> None:
        if runs.heard().done_seconds is not None:
            raise Overdue("The long text ended before anybody went: ask for more tokens.")
        if way == "close":
            here.remove(tab)
        WAYS[way](tab)

    try:
        _one_by_one(tabs, deadline)
        go(waits)
        found = {
            "third_moved": _seconds(lambda: _at_most(third, 0), deadline),
            "fourth_moved": _seconds(lambda: _at_most(fourth, 1), deadline),
        }
        go(runs)
        found["third_began"] = _seconds(lambda: third.heard().text_seconds is not None, deadline)
        deadline.until("the runs behind those that went end", lambda: third.has_ended and fourth.has_ended, _SECONDS)
    finally:
        for tab in here:
            tab.close()
    return found


def _one_by_one(tabs: Sequence[Tab], deadline: Deadline) -> None:
    runs, *others = tabs
    runs.click()
    deadline.until("the long run begins", lambda: runs.heard().text_seconds is not None, _SECONDS)
    for before, tab in enumerate(others):
        tab.click()
        deadline.until(
            f"a page is told that {before} runs are before its own",
            lambda tab=tab, n=before: tab.heard().before == n,  # type: ignore[misc]
            _SECONDS,
        )


def _at_most(tab: Tab, before: int) -> bool:
    heard = tab.heard()
    return heard.text_seconds is not None or (heard.before is not None and heard.before <= before)


def _seconds(happened: Callable[[], bool], deadline: Deadline) -> float | None:
    began = time.monotonic()
    try:
        deadline.until("a place is free", happened, _SECONDS)
    except Overdue:
        return None
    return time.monotonic() - began
