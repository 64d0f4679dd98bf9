"""Who waits for the model, who runs, and about how long it takes: what a page tells a visitor who waits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr

from ptp_core.decoding.settings import DecodeSettings

from .memory import give_back
from .values import Event
from .waiting import Waiting

CONCURRENCY_ID = "model"  # everything that runs a model waits in one queue of this name

_SILENT = 12.0  # seconds: a page asks every two, so one that is silent for longer was closed
_KEPT_TIMES = 20
_USUAL = DecodeSettings().max_new_tokens  # of a run that did not say how many it may write


class Line:
    """Tickets in the order in which their pages first asked, and the runs that go on. Safe to use from several
    threads. clock gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: OrderedDict[str, float] = OrderedDict()  # waiting ticket: when its page last asked
        self._running: dict[str, Running] = {}  # by ticket
        self._took: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._expected: float | None = None  # seconds a token
        self._lock = threading.Lock()

    def expect(self, seconds: float) -> None:
        """What a run should take at most for each token that it may write, for as long as none was timed."""
        self._expected = seconds

    @contextmanager
    def run(self, ticket: str) -> Iterator[Running]:
        """Around a run: it waits no more, and its time counts for those behind it."""
        running = Running(self._clock())
        with self._lock:
            self._asked.pop(ticket, None)
            self._running[ticket] = running
        try:
            yield running
        finally:
            with self._lock:
                self._running.pop(ticket, None)  # a request made by hand may use a ticket twice
                self._took.append(self._clock() - running.began)
            give_back()

    def place(self, ticket: str, queued: int | None = None) -> Event:
        """Where the ticket stands: {running}, and while it waits {place, seconds, timed} too.

        Place 1 is the next one. seconds are what those before it should take, None while nothing is known of that.
        timed: they follow from runs that ended. Otherwise they are what should be enough: a call for every token.
        queued: how many runs wait before it in the server's queue, where callers of the API stand as well.
        """
        with self._lock:
            now = self._clock()
            if ticket in self._running:
                return {"running": True}
            self._asked[ticket] = now
            for other in [t for t, last in self._asked.items() if now - last > _SILENT]:
                del self._asked[other]
            ahead = list(self._asked).index(ticket) if queued is None else queued
            seconds = self._seconds(ahead, now)
            return {"running": False, "place": ahead + 1, "seconds": seconds, "timed": bool(self._took)}

    def _seconds(self, ahead: int, now: float) -> float | None:
        if self._took:
            mean = sum(self._took) / len(self._took)
        elif self._expected is not None:  # runs that wait are likely as long as those that go on
            tokens = [running.tokens for running in self._running.values()] or [_USUAL]
            mean = self._expected * sum(tokens) / len(tokens)
        else:
            return None
        left = max((running.left(now, mean) for running in self._running.values()), default=0.0)
        return round(ahead * mean + left, 1)


class Running:
    """A run that goes on: when it began, how many tokens it may write, and how much of it is done."""

    def __init__(self, began: float) -> None:
        self.began, self.tokens, self._share = began, _USUAL, 0.0

    def may_write(self, tokens: int) -> None:
        """The run tells how long its text may become."""
        self.tokens = tokens

    def reached(self, share: float) -> None:
        """The run tells the share of it that is done, 0 to 1."""
        self._share = min(share, 1.0)

    def left(self, now: float, mean: float) -> float:
        """Seconds that it should still take: by what is done of it, else by what others took."""
        spent = now - self.began
        if self._share > 0:
            return spent * (1 - self._share) / self._share
        return max(mean - spent, 0.0)


LINE = Line()


def wait_place(request: Event, asked: gr.Request) -> Event:
    """Where the run of a ticket stands; see Line.place. Pages ask this while they wait."""
    ticket = str(request.get("ticket"))
    return LINE.place(ticket, Waiting(asked.app.get_blocks()).ahead(ticket, CONCURRENCY_ID))
