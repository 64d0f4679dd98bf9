"""What the toys' trainings share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

Step = TypeVar("Step")


def to_the_end(run: Iterator[Step], callback: Callable[[Step], None]) -> Step:
    """Runs a training, calls back with each measurement and returns the last; ValueError if there is none."""
    last: Step | None = None
    for last in run:
        callback(last)
    if last is None:
        raise ValueError("A toy run needs at least one step.")
    return last
