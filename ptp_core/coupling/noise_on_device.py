"""The noise at some places of a text, on the device where the distributions are, so that nothing waits for the host.

R places    K tokens at each    E edits
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..philox import rounds


@dataclass(frozen=True)
class ClockNoise:
    """A tape's clocks, as numbers that a device holds.

    keys (10, 2) int64: the words of the generator's rounds. tokens, positions (E,) int64 and values (E,) float32:
    clocks that replace the seed's own; position -1 for none.
    """

    keys: Tensor
    positions: Tensor
    tokens: Tensor
    values: Tensor

    def at(self, positions: Tensor, tokens: Tensor) -> Tensor:
        """The numbers (R, K), float32, of tokens (R, K) at positions (R,): NoiseTape.clocks, computed here."""
        place = positions[:, None].expand_as(tokens)
        zero = torch.zeros_like(tokens)
        word = rounds((tokens, place, zero, zero), self.keys, int)[0]
        drawn = (((word >> 9).double() + 0.5) * 2.0**-23).float()
        if not len(self.positions):
            return drawn
        hits = (place[..., None] == self.positions) & (tokens[..., None] == self.tokens)  # (R, K, E)
        return torch.where(hits.any(-1), (hits * self.values).sum(-1), drawn)


@dataclass(frozen=True)
class NoiseOnDevice:
    """What NoiseAt gives, at R places: u (R,) float32 and positions (R,) int64."""

    u: Tensor
    positions: Tensor
    source: ClockNoise

    def clocks(self, tokens: Tensor) -> Tensor:
        """The numbers (R, K), float32, of tokens (R, K), for the Gumbel coupling."""
        return self.source.at(self.positions, tokens)
