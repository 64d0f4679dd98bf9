"""Maps from noise to tokens are found by asking: where to ask next, and how much doubt is left.

A map is a generator of its progress (0 to 1) that returns the map; `finish` runs it to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

_GRID = 32  # first points over [0, 1)
_TOLERANCE = 1 / 512  # the width to which a change of the answer is located
_PROBES = 32  # fresh points all over [0, 1), off the grid, at which a finished scan is tested
_GOLDEN = 0.6180339887498949
T = TypeVar("T")
Steps = Generator[float, None, T]


def finish(steps: Steps[T]) -> T:
    """Runs a map's generator to its end and returns the map."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


class Scan:
    """A function of u in [0, 1) that is constant by stretches, known at points; says where to ask next."""

    def __init__(self, points: Sequence[float]) -> None:
        self.wanted = sorted(set(points))
        self._known: dict[float, Any] = {}
        self.num_probed = self.num_wrong = 0  # fresh points asked afterwards, and how many the scan had wrong

    def learn(self, values: Sequence[Any], tolerance: float) -> None:
        """Takes the answers at `wanted`; afterwards `wanted` holds the middles of the gaps still too wide."""
        self._known.update(zip(self.wanted, values, strict=True))
        points = sorted(self._known)
        self.wanted = [
            (a + b) / 2 for a, b in pairwise(points) if self._known[a] != self._known[b] and b - a > tolerance
        ]

    def at(self, u: float) -> Any:
        """The answer at u as far as it is known: that of the nearest point."""
        return self._known[min(self._known, key=lambda point: abs(point - u))]

    def stretches(self) -> tuple[list[tuple[float, float, Any]], float]:
        """(left, right, answer) over [0, 1), and the summed width of the gaps that hold the changes."""
        points = sorted(self._known)
        found: list[tuple[float, float, Any]] = []
        left = doubt = 0.0
        for a, b in pairwise(points):
            if self._known[a] != self._known[b]:
                found.append((left, (a + b) / 2, self._known[a]))
                left, doubt = (a + b) / 2, doubt + (b - a)
        found.append((left, 1.0, self._known[points[-1]]))
        return found, doubt

    def around(self, u: float) -> tuple[float, float, float]:
        """(left, right, doubt) of the stretch that holds u; each edge is known up to `doubt`."""
        points = sorted(self._known)
        left, right, doubt = 0.0, 1.0, 0.0
        for a, b in pairwise(points):
            if self._known[a] == self._known[b]:
                continue
            if b <= u:
                left, doubt = (a + b) / 2, (b - a) / 2
            elif a >= u:
                return left, (a + b) / 2, max(doubt, (b - a) / 2)
        return left, right, doubt


def middles(count: int) -> list[float]:
    """The middles of `count` equal parts of [0, 1)."""
    return [(i + 0.5) / count for i in range(count)]


def scanned(
    ask: Callable[[Sequence[float]], Sequence[Any]], u: float, grid: int = _GRID, tolerance: float = _TOLERANCE
) -> Steps[Scan]:
    """Scans a function of one u, u itself included among the points, and probes what was found."""
    scan = Scan([*middles(grid), u])
    rounds = 0
    while scan.wanted:
        scan.learn(ask(scan.wanted), tolerance)
        rounds += 1
        yield min(rounds / 6, 0.95)
    probes = [(i * _GOLDEN) % 1 for i in range(1, _PROBES + 1)]
    scan.num_wrong = sum(scan.at(point) != value for point, value in zip(probes, ask(probes), strict=True))
    scan.num_probed = _PROBES
    return scan


def second_half(steps: Steps[T]) -> Steps[T]:
    """The same steps as the second half of a longer progress."""
    while True:
        try:
            yield 0.5 + next(steps) / 2
        except StopIteration as stop:
            return stop.value
