"""The noise at some places of a text, as a coupling asks for it.

R places    K tokens at each
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..noise import NoiseTape


@dataclass(frozen=True)
class NoiseAt:
    """A tape's noise at R places. Nothing is drawn before it is asked for."""

    tape: NoiseTape
    positions: Sequence[int]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def u(self) -> list[float]:
        """The one number of each place, for the inverse CDF."""
        return [self.tape[position] for position in self.positions]

    def clocks(self, tokens: Tensor) -> Tensor:
        """The numbers (R, K), float32, of tokens (R, K), for the Gumbel coupling; on the tokens' device."""
        places = np.asarray(self.positions, np.int64)[:, None]
        return torch.from_numpy(self.tape.clocks(places, tokens.cpu().numpy())).to(tokens.device, torch.float32)

    def part(self, start: int, stop: int | None = None) -> NoiseAt:
        """The places start..stop of these."""
        return NoiseAt(self.tape, self.positions[start:stop])


@dataclass(frozen=True)
class Joined:
    """The noise of several lists of places, one behind the other."""

    parts: Sequence[NoiseAt]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def u(self) -> list[float]:
        return [value for part in self.parts for value in part.u]

    def clocks(self, tokens: Tensor) -> Tensor:
        rows = tokens.split([len(part) for part in self.parts])
        return torch.cat([part.clocks(mine) for part, mine in zip(self.parts, rows, strict=True)])


def noise_from(tape: NoiseTape, first: int, count: int) -> NoiseAt:
    """The noise at the `count` positions from `first` on."""
    return NoiseAt(tape, range(first, first + count))
