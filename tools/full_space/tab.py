"""One visitor's page in Chromium: an address, a context and a page of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

from ptp_core.methods import BASELINE
from ptp_core.storage.built_in import DEFAULT

from .deadline import Deadline, Overdue
from .plan import ACCEPTANCE, NOISE, PAGES, Visit

RECORDER = (Path(__file__).parent / "recorder.js").read_text(encoding="utf-8")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
_FILL_SECONDS = 60.0
_READY = {ACCEPTANCE: ".ptp-table td"}
_RUN = {ACCEPTANCE: "#ptp-bench-run"}
_LANES = {NOISE: "PTPLab.noiseState.now.lanes"}
_BEGUN = re.compile(r"Decoding|answers")  # what a banner says once the run itself sends something
_PLACE = re.compile(r"(\d+) runs? (?:is|are) before yours|(yours is the next run)")
_TIME = re.compile(r"about ([\d.]+) s")


def browser_of(playwright: Playwright) -> Browser:
    """A headless Chromium; Overdue if this machine has none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise Overdue("There is no Chromium on this machine. Install it, or set CHROMIUM to its path.")
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@dataclass(frozen=True)
class Heard:
    """What a visitor's page told since its click: (seconds, banner), the marks that came, messages that popped up."""

    says: list[tuple[float, str]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    toasts: list[str] = field(default_factory=list)

    def first(self, *wanted: re.Pattern[str]) -> float | None:
        """Seconds until the banner first said something that all of these match."""
        return next((at for at, says in self.says if all(one.search(says) for one in wanted)), None)

    @property
    def place_seconds(self) -> float | None:
        return self.first(_PLACE)

    @property
    def time_seconds(self) -> float | None:
        """Until a place with a time was shown."""
        return self.first(_PLACE, _TIME)

    @property
    def told_seconds(self) -> float | None:
        """The time that it showed first."""
        return next((float(found[1]) for _, says in self.says if (found := _TIME.search(says))), None)

    @property
    def text_seconds(self) -> float | None:
        return self.first(_BEGUN)

    @property
    def done_seconds(self) -> float | None:
        """Until the banner went for good; None while it says something."""
        return self.says[-1][0] if len(self.says) > 1 and not self.says[-1][1] else None

    @property
    def before(self) -> int | None:
        """How many runs the banner says are before this one, now; None where it says no place."""
        return _before(self.says[-1][1]) if self.says else None

    @property
    def most_before(self) -> int | None:
        """How many runs it said at most were before this one."""
        return max((n for _, says in self.says if (n := _before(says)) is not None), default=None)


def _before(says: str) -> int | None:
    found = _PLACE.search(says)
    return None if found is None else int(found[1] or 0)


class Tab:
    """A visitor's page. It opens and fills the fields at once; the run begins with `click`."""

    def __init__(self, browser: Browser, url: str, visit: Visit, deadline: Deadline) -> None:
        self.visit, self._deadline = visit, deadline
        began = time.monotonic()
        self._context = browser.new_context(
            reduced_motion="reduce", accept_downloads=True, extra_http_headers={"X-Forwarded-For": visit.address}
        )
        self._context.add_init_script(RECORDER)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(120_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url + PAGES[visit.page])
        self.page.wait_for_selector(_READY.get(visit.page, ".ptp-race .ptp-token"))
        self.open_seconds = time.monotonic() - began
        self._fill()

    def _fill(self) -> None:
        page, visit = self.page, self.visit
        if visit.page == ACCEPTANCE:
            page.click("#ptp-bench > button")
            page.click("text=my own prompts")
            page.fill("#ptp-bench-prompts textarea", visit.prompt)
            page.get_by_label("number input for Tokens per answer").fill(str(visit.tokens))
            page.get_by_label("Seed").fill(str(visit.seed))
            page.get_by_label("Seed").press("Tab")
            return
        if visit.model != DEFAULT:
            page.click("#ptp-which input")
            page.get_by_role("option", name="PTP-Small").click()
        page.fill("#ptp-prompt textarea", visit.prompt)
        page.fill("#ptp-seed input", str(visit.seed))
        page.click("#ptp-settings > button")
        self._deadline.until("the page takes the number of tokens", self._takes_tokens, _FILL_SECONDS)

    def _takes_tokens(self) -> bool:
        """Types the number of tokens; False where Gradio, which has just opened the panel, does not listen yet."""
        field = self.page.get_by_label("number input for New tokens")
        field.fill(str(self.visit.tokens))
        field.press("Tab")
        self.page.wait_for_timeout(500)
        label = self.page.locator("#ptp-settings > button").text_content() or ""
        return f" {self.visit.tokens} tokens" in label

    def click(self, moment: float | None = None) -> None:
        """Presses Run, at once or at a moment of the wall clock, in seconds."""
        selector = _RUN.get(self.visit.page, "#ptp-run")
        self.page.evaluate("([s, at]) => fullSpace.clickAt(s, at)", [selector, 1000 * (moment or time.time())])

    def stop(self) -> None:
        """Presses Stop."""
        self.page.locator("#ptp-stop, .ptp-banner .ptp-stop").first.click()

    def close(self) -> None:
        """Closes the tab, as a visitor who goes."""
        self._context.close()

    def heard(self) -> Heard:
        told = self.page.evaluate("fullSpace.heard")
        return Heard([(at / 1000, says) for at, says in told["says"]], told["marks"], told["toasts"])

    @property
    def has_ended(self) -> bool:
        """Whether its run came to an end, good or bad."""
        states = "PTPLab.raceState || PTPLab.noiseState || PTPLab.acceptanceState"
        return bool(self.page.evaluate(f"fullSpace.heard.says.length > 1 && !({states}).busy"))

    def marks(self) -> list[str]:
        """Whose marks stand on the page or came with what it read."""
        return sorted({*self.page.evaluate("fullSpace.shown()"), *self.heard().marks})

    def texts(self) -> list[str]:
        """The texts that the page holds of its last run, one by each method."""
        if self.visit.page == ACCEPTANCE:
            with self.page.expect_download() as waiting:
                self.page.click('[data-do="json"]')
            rows = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))["rows"]
            return [row["text"] for row in rows]
        lanes = self.page.evaluate(
            f"Object.entries({_LANES.get(self.visit.page, 'PTPLab.raceState.lanes')})"
            ".map(([name, lane]) => [name, lane.tokens.map((token) => token.text).join('')])"
        )
        return [text for name, text in sorted(lanes, key=lambda lane: lane[0] != BASELINE)]


def open_tabs(browser: Browser, url: str, visitors: Sequence[Visit], deadline: Deadline) -> list[Tab]:
    """A tab for each visitor, opened one after another, as two cores draw them."""
    return [Tab(browser, url, visit, deadline) for visit in visitors if visit.page in PAGES]
