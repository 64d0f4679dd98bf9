"""NoiseTape: the uniform random numbers that decide every generated token.

A tape is a pure function of its seed and its edits. Its numbers are the same on every device and in every process.
The order of access does not matter: the generators are counter-based (Philox).

    tape[i]              the u of position i, for the inverse CDF
    tape.clocks(i, ids)  one number per token at position i, for the Gumbel coupling (coupling.py)
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .philox import philox_4x32
from .refusals import quoted

LARGEST_U = float(np.nextafter(np.float32(1), np.float32(0)))
MAX_SEED = 2**63 - 1
_CHUNK = 256


def _as_u(value: float) -> float:
    """A number in [0, 1) as float32 holds it; raises ValueError for anything else."""
    u = float(value)
    if not 0.0 <= u < 1.0:  # NaN fails too
        raise ValueError(f"A noise value must lie in [0, 1), got {quoted(value)}.")
    return min(float(np.float32(u)), LARGEST_U)  # rounding to float32 must not reach 1


def _as_clock(value: float) -> float:
    """A number in (0, 1) as float32 holds it; raises ValueError for anything else."""
    clock = float(np.float32(value))
    if not 0.0 < clock < 1.0:
        raise ValueError(f"A clock's number must lie between 0 and 1, got {quoted(value)}.")
    return clock


@dataclass(frozen=True)
class NoiseTape:
    """One u in [0, 1) for each generated position 0, 1, 2, ... Every value is exact in float32.

    `edits` maps positions to values that replace the seed's own noise. `clock_edits` does the same for
    clocks: (position, token) to a number in (0, 1).
    """

    seed: int = 0
    edits: Mapping[int, float] = field(default_factory=dict)
    clock_edits: Mapping[tuple[int, int], float] = field(default_factory=dict)
    _drawn: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            seed = operator.index(self.seed)
        except TypeError:
            raise ValueError(f"The seed must be a whole number, got {quoted(self.seed)}.") from None
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f"The seed must lie between 0 and {MAX_SEED}, got {seed}.")
        edits = {operator.index(i): _as_u(u) for i, u in self.edits.items()}
        clock_edits = {(operator.index(i), operator.index(t)): _as_clock(v) for (i, t), v in self.clock_edits.items()}
        if any(i < 0 for i in edits) or any(min(place) < 0 for place in clock_edits):
            raise ValueError("A tape has no negative positions and no negative tokens.")
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "edits", dict(sorted(edits.items())))
        object.__setattr__(self, "clock_edits", dict(sorted(clock_edits.items())))

    def __getitem__(self, position: int) -> float:
        if position < 0:
            raise IndexError("A tape has no negative positions.")
        if position in self.edits:
            return self.edits[position]
        if position >= len(self._drawn):
            self._draw(position + 1)
        return self._drawn[position]

    def values(self, start: int, stop: int) -> list[float]:
        """[tape[start], ..., tape[stop - 1]]."""
        return [self[i] for i in range(start, stop)]

    def with_value(self, position: int, u: float) -> NoiseTape:
        """The same tape with one position edited."""
        return NoiseTape(self.seed, {**self.edits, position: u}, self.clock_edits)

    @property
    def key(self) -> tuple[int, int]:
        """The seed as the two words that the clocks' generator takes."""
        return self.seed & 0xFFFFFFFF, self.seed >> 32

    def clocks(self, positions: ArrayLike, tokens: ArrayLike) -> NDArray[np.float64]:
        """The number in (0, 1) of each token at each position, exact in float32.

        positions and tokens are whole numbers that broadcast against each other, say (R, 1) and (R, K).
        """
        place, token = np.broadcast_arrays(np.asarray(positions, np.uint64), np.asarray(tokens, np.uint64))
        zero = np.zeros((), np.uint64)
        word = philox_4x32((token, place, zero, zero), self.key)[0]
        drawn = np.asarray(((word >> np.uint64(9)).astype(np.float64) + 0.5) * 2.0**-23)
        for (i, t), value in self.clock_edits.items():
            drawn[(place == i) & (token == t)] = value
        return drawn

    def with_clock(self, position: int, token: int, value: float) -> NoiseTape:
        """The same tape with one token's clock at one position edited."""
        return NoiseTape(self.seed, self.edits, {**self.clock_edits, (position, token): value})

    @classmethod
    def from_values(cls, values: Sequence[float], seed: int = 0) -> NoiseTape:
        """A tape that starts with the given values and continues with the seed's noise."""
        return cls(seed, dict(enumerate(values)))

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"seed": self.seed, "edits": {str(i): u for i, u in self.edits.items()}}
        if self.clock_edits:
            data["clock_edits"] = [[i, t, value] for (i, t), value in self.clock_edits.items()]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NoiseTape:
        clocks = {(i, t): value for i, t, value in data.get("clock_edits", ())}
        return cls(data["seed"], {int(i): u for i, u in data["edits"].items()}, clocks)

    def _draw(self, count: int) -> None:
        """Extends the drawn values to at least `count`. A value is the top 24 bits of one of Philox's words."""
        size = -(-count // _CHUNK) * _CHUNK
        words = np.random.Philox(key=self.seed).random_raw(size)
        self._drawn[:] = ((words >> np.uint64(40)).astype(np.float64) * 2.0**-24).tolist()
