"""One client floods the lab with runs and files, and another visitor is served all the same."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import suppress
from typing import Any

from playwright.sync_api import Browser

from app.race.races import recorded_race
from ptp_core.storage.built_in import DEFAULT

from .calls import Flooder
from .deadline import Deadline, Overdue
from .plan import RACE, SMALL, asking
from .tab import Tab

_HEAD_START = 5.0  # seconds of flood before the visitor comes
_FILE_BYTES = 8 << 20
_WAIT = 180.0  # seconds for which the visitor's run is waited for


def flood(browser: Browser, url: str, number: int, tokens: int, deadline: Deadline) -> dict[str, Any]:
    """A visitor opens a page and runs a race while one client floods; what both got, in seconds and words.

    tokens: of the flooder's runs.
    """
    run = {"prompt": "flood " * 20, "max_new_tokens": tokens, "model": DEFAULT}
    with Flooder(url, run, race_file(), component_of(url)) as flooder:
        time.sleep(min(_HEAD_START, deadline.left))
        tab = Tab(browser, url, asking(number, RACE, SMALL, 16), deadline)
        try:
            tab.click()
            with suppress(Overdue):  # what came says so
                deadline.until("a visitor is served beside a flood", lambda: tab.has_ended, _WAIT, every=0.5)
            heard = tab.heard()
        finally:
            tab.close()
        found = flooder.found
    return {
        "opened": round(tab.open_seconds, 1),
        "place": heard.place_seconds,
        "before": heard.most_before,
        "text": heard.text_seconds,
        "done": heard.done_seconds,
        "calls": found.calls,
        "taken": dict(found.taken),
        "refused": dict(found.refused),
        "silent": found.silent,
        "sentences": found.sentences,
    }


def race_file() -> str:
    """A race file of about eight megabytes."""
    race = recorded_race("sky").to_dict()
    room = _FILE_BYTES - len(json.dumps(race))
    return json.dumps(race | {"padding": [0] * (room // 3)})


def component_of(url: str) -> int:
    """The number by which a page names the race's view when it sends a file there."""
    with urllib.request.urlopen(f"{url}config", timeout=60) as answer:
        config = json.loads(answer.read())
    return next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "ptp-race")
