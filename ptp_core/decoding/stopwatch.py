"""A clock that says which part of a call took how long."""

from __future__ import annotations

import time
from collections.abc import Callable


class Laps:
    """Seconds by part of a call. On a GPU they need `synchronize`, or kernels are billed to whoever waits."""

    def __init__(self, synchronize: Callable[[], None] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._synchronize = synchronize
        self._last = 0.0

    def start(self) -> None:
        self._last = self._now()

    def lap(self, part: str) -> None:
        now = self._now()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def _now(self) -> float:
        if self._synchronize is not None:
            self._synchronize()
        return time.perf_counter()
