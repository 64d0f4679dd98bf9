"""The time that all of it may take. Behind it nothing that was started here goes on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")
_GRACE = 20.0  # seconds behind the deadline until processes are ended in the middle of what they do


class Overdue(RuntimeError):
    """The deadline came, or something that was waited for did not. The message says what."""


class Deadline:
    """Counts down. As a context, it ends every process below this one if they outlive it by more than a moment."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._kept = set(below(os.getpid()))  # these were there before
        self._watch = threading.Timer(seconds + _GRACE, self.end_all)
        self._watch.daemon = True

    @property
    def left(self) -> float:
        """Seconds, 0 behind the deadline."""
        return max(self._end - time.monotonic(), 0.0)

    def until(self, what: str, found: Callable[[], T | None], seconds: float | None = None, every: float = 0.1) -> T:
        """Asks until something is found; Overdue with `what` after so many seconds, or at the deadline."""
        stop = time.monotonic() + min(self.left, self.left if seconds is None else seconds)
        while True:
            answer = found()
            if answer:
                return answer
            if time.monotonic() >= stop:
                raise Overdue(f"This did not happen in time: {what}.")
            time.sleep(every)

    def end_all(self) -> None:
        """Ends what was started below this process since; a browser or a server that hangs, hangs no longer."""
        for pid in below(os.getpid()):
            if pid not in self._kept:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def __enter__(self) -> Deadline:
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watch.cancel()


def below(pid: int) -> list[int]:
    """The processes that this one started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has just ended
        parents.setdefault(parent, []).append(int(folder.name))
    found = list(parents.get(pid, []))
    for child in found:  # grows while it is read
        found += parents.get(child, [])
    return found
