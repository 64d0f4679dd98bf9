"""Time that ends: the deadline, the stages' shares of what is left, and the signals that say stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

RESERVE = 25.0  # seconds before the machine's limit at which the programme stops, to save and go


class Stopped(Exception):
    """The deadline came, or somebody asked the programme to end. What is there gets saved."""


class Clock:
    """Counts down to `timeout` minus the reserve. `now` gives seconds and is a test's to replace."""

    def __init__(self, timeout: float, reserve: float = RESERVE, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._end = now, now() + timeout - reserve
        self._start = now()

    @property
    def spent(self) -> float:
        return self._now() - self._start

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 behind it."""
        return max(self._end - self._now(), 0.0)

    def share(self, weight: float, others: float) -> Budget:
        """The part weight / (weight + others) of what is left; others is the weight of the stages still to come."""
        return Budget(self, self._now() + self.left * weight / (weight + others))

    def budget(self, seconds: float) -> Budget:
        """So many seconds, or what is left if that is less."""
        return Budget(self, min(self._now() + seconds, self._end))

    def seconds_until(self, moment: float) -> float:
        return max(moment - self._now(), 0.0)


class Budget:
    """A stage's time. A stage looks at `left` between two pieces of work and ends by itself."""

    def __init__(self, clock: Clock, end: float) -> None:
        self.clock, self._end = clock, end

    @property
    def left(self) -> float:
        return self.clock.seconds_until(self._end)

    @property
    def over(self) -> bool:
        return self.left == 0

    def part(self, share: float) -> Budget:
        """A budget of its own: this share of what is left of this one."""
        return self.clock.budget(self.left * share)


@contextmanager
def stopping(clock: Clock) -> Iterator[None]:
    """Within it, SIGTERM and the deadline's SIGALRM raise Stopped, once: what follows may save in peace."""
    kinds = (signal.SIGTERM, signal.SIGALRM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def stop(kind: int, frame: FrameType | None) -> None:
        for each in kinds:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped("the deadline came" if kind == signal.SIGALRM else "asked to end")

    for kind in kinds:
        signal.signal(kind, stop)
    signal.setitimer(signal.ITIMER_REAL, max(clock.left, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind in kinds:
            signal.signal(kind, before[kind])
