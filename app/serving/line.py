"""Who waits for the model, who runs, and about how long it takes: what a page tells a visitor who waits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .values import Event

_SILENT = 12.0  # seconds: a page asks every two, so one that is silent for longer was closed
_KEPT_TIMES = 20


class Line:
    """Tickets in the order in which their pages first asked, and the runs that go on. Safe to use from several
    threads. clock gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: OrderedDict[str, float] = OrderedDict()  # waiting ticket: when its page last asked
        self._running: dict[str, float] = {}  # ticket: when it began
        self._took: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._lock = threading.Lock()

    @contextmanager
    def run(self, ticket: str) -> Iterator[None]:
        """Around a run: it waits no more, and its time counts for those behind it."""
        with self._lock:
            self._asked.pop(ticket, None)
            self._running[ticket] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                began = self._running.pop(ticket, None)  # a request made by hand may use a ticket twice
                if began is not None:
                    self._took.append(self._clock() - began)

    def place(self, ticket: str) -> Event:
        """Where the ticket stands: {running}, and while it waits {place, seconds} too.

        Place 1 is the next one. seconds are what those before it should take, None until a run was timed.
        """
        with self._lock:
            now = self._clock()
            if ticket in self._running:
                return {"running": True}
            self._asked[ticket] = now
            for other in [t for t, last in self._asked.items() if now - last > _SILENT]:
                del self._asked[other]
            ahead = list(self._asked).index(ticket)
            return {"running": False, "place": ahead + 1, "seconds": self._seconds(ahead, now)}

    def _seconds(self, ahead: int, now: float) -> float | None:
        if not self._took:
            return None
        mean = sum(self._took) / len(self._took)
        left = max((mean - (now - began) for began in self._running.values()), default=0.0)
        return round(ahead * mean + max(left, 0.0), 1)


LINE = Line()


def wait_place(request: Event) -> Event:
    """Where the run of a ticket stands; see Line.place. Pages ask this while they wait."""
    return LINE.place(str(request.get("ticket")))
