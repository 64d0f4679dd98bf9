"""python -m tools.full_space --visitors 20 --out FILE: plays a full Space on this machine and says what held.

It starts the lab itself, on a loopback port, with a headless Chromium beside it, and ends both. The status is 1 if a
promise was broken or the time did not suffice.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from .calls import Caller
from .deadline import Deadline, Overdue
from .flood import flood
from .freeing import freeing
from .plan import API, visits
from .promises import broken, summary, table
from .rush import compare, rush
from .server import LAB, Server, settled
from .tab import browser_of, open_tabs

PHASES = ("rush", "stop", "close", "flood")
_RUSH_SHARE = 0.6  # of the time left, at most
_LOADING = 6  # times as long may the models take to load
_REST = 10.0  # seconds until memory is read again


def play(
    visitors: int,
    callers: int,
    log: Path,
    seconds: float = 600.0,
    *,
    tokens: int = 16,
    long_tokens: int = 256,
    phases: Sequence[str] = PHASES,
    command: Sequence[str] = LAB,
    rest: float = _REST,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """All phases on one server; what each gave, as __main__ writes it.

    tokens: of each visitor's text. long_tokens: of those that others wait for, the flooder's too. rest: seconds after
    which memory is read again. Raises Overdue with the reason where nothing could be played.
    """
    found: dict[str, Any] = {"visitors": visitors, "callers": callers, "tokens": tokens, "unfinished": {}}
    with Deadline(seconds) as deadline, Server(deadline, log, command) as server, sync_playwright() as playwright:
        tell(f"the lab answers at {server.url}")
        browser = browser_of(playwright)
        found["memory"] = {"before": server.memory.steady(_LOADING * rest)}
        tell(f"it holds {found['memory']['before']:.0f} MB; the phases begin")
        played: dict[str, Callable[[], Any]] = {
            "rush": lambda: _rush(browser, server, found, deadline, tell),
            "stop": lambda: freeing(browser, server.url, "stop", 201, long_tokens, deadline),
            "close": lambda: freeing(browser, server.url, "close", 211, long_tokens, deadline),
            "flood": lambda: flood(browser, server.url, 221, long_tokens, deadline),
        }
        try:
            for name in phases:
                tell(f"phase: {name}")
                try:
                    found[name] = played[name]()
                except (Overdue, PlaywrightError) as error:  # the others are played all the same
                    found["unfinished"][name] = str(error).splitlines()[0]
                tell(f"the lab holds {server.memory.now():.0f} MB")
        finally:
            browser.close()
        found["memory"] |= {"after": settled(server.memory, rest), "peak": server.memory.peak}
    found["broken"] = broken(found)
    return found


def _rush(
    browser: Browser, server: Server, found: dict[str, Any], deadline: Deadline, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    everyone = visits(found["visitors"], found["tokens"], found["callers"])
    tabs = open_tabs(browser, server.url, everyone, deadline)
    tell(f"{len(tabs)} pages are open; all press Run")
    callers = [Caller(server.url, visit, deadline.left) for visit in everyone if visit.page == API]
    came = rush(tabs, callers, deadline, _RUSH_SHARE)
    tell("the rush is over; each text is written once more, alone")
    for tab in tabs:
        tab.close()
    compare(server.url, everyone, came, deadline)
    found["slowest"] = summary(came)
    return [one.to_dict() for one in came]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.full_space", description=__doc__)
    parser.add_argument("--visitors", type=int, default=20, help="with pages (20)")
    parser.add_argument("--callers", type=int, default=4, help="of the API, beside them (4)")
    parser.add_argument("--tokens", type=int, default=16, help="of each text (16)")
    parser.add_argument("--long-tokens", type=int, default=256, help="of the texts that others wait for (256)")
    parser.add_argument("--seconds", type=float, default=600.0, help="for all of it (600)")
    parser.add_argument("--phases", default=",".join(PHASES), help=f"some of {','.join(PHASES)}")
    parser.add_argument("--lab", default=shlex.join(LAB), help="the command that serves at $GRADIO_SERVER_PORT")
    parser.add_argument("--out", type=Path, required=True, help="the JSON that is written; its log lies beside it")
    asked = parser.parse_args(arguments)
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    asked.out.parent.mkdir(parents=True, exist_ok=True)
    found = play(
        asked.visitors, asked.callers, asked.out.with_suffix(".log"), asked.seconds, tokens=asked.tokens,
        long_tokens=asked.long_tokens, phases=asked.phases.split(","), command=shlex.split(asked.lab), tell=tell,
    )  # fmt: skip
    found["seconds"] = round(time.monotonic() - began, 1)
    asked.out.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    print("\n".join(found["broken"]) or "Every promise held.")
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
