"""How many threads a call takes: all of them, or one while the machine is busy.

Two threads of one product wait for each other. Beside another process one of them may sit still, and the other spins.
Then a call takes two to five times as long, and a single thread is quicker. So a watch measures, and chooses anew when
calls become slow. It is off unless it is asked for: a benchmark must not change its threads on the way.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch

_LOG = logging.getLogger(__name__)
FEW_ROWS = 16  # calls with more positions read a prompt; their time says nothing here
_ROW = 0.03  # what a position more adds to a call, as a share of a call with one
_TRIED = 5  # calls of a trial; the first one warms up
_FIRST_TRIAL = 4  # calls before the other number is tried for the first time
_SLOWER = 1.4  # how much slower than its best a call must become for a new trial
_LOST = 1.3  # a trial whose first calls are so much slower ends at once
_AGAIN_ALL, _AGAIN_ONE = 512, 128  # calls between trials: while all threads are used, and while one is


class Watch:
    """Chooses between `most` threads and one, by the times of calls. With chooses=False it keeps to `most`."""

    def __init__(self, most: int, chooses: bool = True) -> None:
        self.most, self._chooses = most, chooses and most > 1
        self.threads = most
        self._seen: dict[int, deque[float]] = {n: deque(maxlen=8) for n in {1, most}}
        self._best = float("inf")
        self._since, self._again = 0, _FIRST_TRIAL
        self._trial: list[float] | None = None
        self._before = most

    def observe(self, positions: int, ms: float) -> None:
        """Takes the time of one call with `self.threads` threads, and decides for the next one."""
        if positions > FEW_ROWS or not self._chooses:
            return
        value = ms / (1 + _ROW * (positions - 1))
        if self._trial is not None:
            self._trial.append(value)
            self._judge()
            return
        self._seen[self.threads].append(value)
        self._since += 1
        now = self._now()
        if len(self._seen[self.threads]) >= 4:
            self._best = min(self._best, now)
        slow = self.threads == self.most and now > _SLOWER * self._best and self._since > _FIRST_TRIAL
        if self._since >= self._again or slow:
            self._before, self.threads, self._trial = self.threads, 1 if self.threads > 1 else self.most, []

    def _now(self) -> float:
        """The median time of the last calls with today's threads."""
        return median(self._seen[self.threads])

    def _judge(self) -> None:
        """Ends a trial when it has run, or has lost already."""
        assert self._trial is not None
        known, tried = median(self._seen[self._before]), self._trial[1:]
        lost = len(tried) >= 2 and min(tried) > _LOST * known
        if len(self._trial) < _TRIED and not lost:
            return
        better = median(tried) < known
        if better:
            self._seen[self.threads].clear()
            self._seen[self.threads].extend(tried)
            _LOG.info("Calls take %d thread(s): %.1f ms in place of %.1f.", self.threads, median(tried), known)
        else:
            self.threads = self._before
        if self.threads == self.most:
            self._best = self._now()
        self._since, self._again = 0, _AGAIN_ALL if self.threads == self.most else _AGAIN_ONE
        self._trial = None


_watch: Watch | None = None
_here = threading.local()  # "fixed": how many threads this thread's calls take meanwhile


def start_watch(most: int | None = None, chooses: bool = True) -> Watch:
    """From now on calls take as many threads as pays; `most` is torch's number by default."""
    global _watch
    _watch = Watch(most or torch.get_num_threads(), chooses)
    return _watch


@contextmanager
def fixed_threads(number: int | None = None) -> Iterator[None]:
    """Meanwhile this thread's calls take `number` threads, as a measurement needs it.

    Without a number they take what is fixed around them, else the most that there are.
    """
    before = getattr(_here, "fixed", None)
    _here.fixed = number or before or measured_threads()
    try:
        yield
    finally:
        _here.fixed = before


def measured_threads() -> int:
    """How many threads a measurement of this machine takes."""
    return getattr(_here, "fixed", None) or (_watch.most if _watch else torch.get_num_threads())


def call_threads() -> int:
    """How many threads this thread's next call takes."""
    return getattr(_here, "fixed", None) or (_watch.threads if _watch else torch.get_num_threads())


def begin_call() -> None:
    """Sets the number of threads for the call that this thread is about to make."""
    wanted = call_threads()
    if torch.get_num_threads() != wanted:  # torch keeps its number per thread
        torch.set_num_threads(wanted)


def end_call(positions: int, ms: float) -> None:
    """Tells the watch how long the call took."""
    if _watch is not None and not getattr(_here, "fixed", None):
        _watch.observe(positions, ms)
