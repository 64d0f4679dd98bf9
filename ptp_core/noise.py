"""NoiseTape: the uniform random numbers u_i that decide every generated token.

A tape is a pure function of its seed and its edits. `tape[i]` is the same on every device and in every process.
The order of access does not matter: the generator is counter-based (Philox 4x64).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LARGEST_U = float(np.nextafter(np.float32(1), np.float32(0)))
MAX_SEED = 2**63 - 1
_CHUNK = 256


def _as_u(value: float) -> float:
    """A number in [0, 1) as float32 holds it; raises ValueError for anything else."""
    u = float(value)
    if not 0.0 <= u < 1.0:  # NaN fails too
        raise ValueError(f"A noise value must lie in [0, 1), got {value!r}.")
    return min(float(np.float32(u)), LARGEST_U)  # rounding to float32 must not reach 1


@dataclass(frozen=True)
class NoiseTape:
    """One u in [0, 1) for each generated position 0, 1, 2, ... Every value is exact in float32.

    `edits` maps positions to values that replace the seed's own noise.
    """

    seed: int = 0
    edits: Mapping[int, float] = field(default_factory=dict)
    _drawn: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            seed = operator.index(self.seed)
        except TypeError:
            raise ValueError(f"The seed must be a whole number, got {self.seed!r}.") from None
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f"The seed must lie between 0 and {MAX_SEED}, got {seed}.")
        edits = {operator.index(i): _as_u(u) for i, u in self.edits.items()}
        if any(i < 0 for i in edits):
            raise ValueError("A tape has no negative positions.")
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "edits", dict(sorted(edits.items())))

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
        return NoiseTape(self.seed, {**self.edits, position: u})

    @classmethod
    def from_values(cls, values: Sequence[float], seed: int = 0) -> NoiseTape:
        """A tape that starts with the given values and continues with the seed's noise."""
        return cls(seed, dict(enumerate(values)))

    def to_json(self) -> dict[str, Any]:
        return {"seed": self.seed, "edits": {str(i): u for i, u in self.edits.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NoiseTape:
        return cls(data["seed"], {int(i): u for i, u in data["edits"].items()})

    def _draw(self, count: int) -> None:
        """Extends the drawn values to at least `count`. A value is the top 24 bits of one of Philox's words."""
        size = -(-count // _CHUNK) * _CHUNK
        words = np.random.Philox(key=self.seed).random_raw(size)
        self._drawn[:] = ((words >> np.uint64(40)).astype(np.float64) * 2.0**-24).tolist()
