"""What a model call costs, as decoding plans with it: curves, prices, and figures that learn."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True)
class CostCurve:
    """Milliseconds of one call against its number of positions, piecewise linear, never falling."""

    positions: tuple[int, ...]
    milliseconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.positions) < 2 or len(self.positions) != len(self.milliseconds):
            raise ValueError("A cost curve needs two points at least.")
        rising = [max(self.milliseconds[: i + 1]) for i in range(len(self.milliseconds))]
        object.__setattr__(self, "milliseconds", tuple(rising))

    def ms(self, positions: float) -> float:
        i = min(max(bisect_left(self.positions, positions), 1), len(self.positions) - 1)
        x0, x1 = self.positions[i - 1], self.positions[i]
        y0, y1 = self.milliseconds[i - 1], self.milliseconds[i]
        return max(y0 + (y1 - y0) * (positions - x0) / (x1 - x0), self.milliseconds[0])


@dataclass(frozen=True)
class DraftCosts:
    """Milliseconds of a call of one row, of each further row, and of a draft that is made behind a call.

    opening: what the first draft behind a call takes besides.
    """

    call: float
    row: float
    draft: float
    opening: float = 0.0


DEFAULT_RUN = (0.4, 0.2, 0.1, 0.05)  # P(N >= k) where slots bring no measurement of their own
_PRIOR = 8.0  # how many observations a figure counts for that was measured beforehand


class Learned:
    """A figure that was measured beforehand, or follows another one, which counts for _PRIOR of what is seen here."""

    def __init__(self, known: float | Learned) -> None:
        self._known, self._total, self._weight = known, 0.0, 0.0

    @property
    def value(self) -> float:
        known = self._known.value if isinstance(self._known, Learned) else self._known
        return (known * _PRIOR + self._total) / (_PRIOR + self._weight)

    def see(self, value: float, weight: float = 1.0) -> None:
        self._total += value * weight
        self._weight += weight
