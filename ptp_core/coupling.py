"""Two maps from noise to a token: the inverse CDF, and the Gumbel race of clocks.

    R positions    K candidates of each

inverse_cdf  one u per position falls into a bin: t = min{j : F_j > u} (the paper's map)
gumbel       each candidate j has a number U_j of its own. Its clock rings at E_j / p_j with E_j = -log U_j, and the
             first to ring is the token. t = argmin_j E_j / p_j = argmax_j (log p_j - log(-log U_j))

Both pick token j with probability p_j. They differ in how often a draft with other odds picks the same token from the
same noise. Under the Gumbel race that share is at least (1 - TV) / (1 + TV). TV is the total variation between the two
sets of odds. No rule without knowledge of the draft can keep more in general (Daliri, Musco, Suresh, "Coupling without
communication and drafter-invariant speculative decoding", 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .noise import NoiseTape
from .sampling import Candidates


def draw_clocks(noise: NoiseTape, first: int, tokens: Tensor) -> Tensor:
    """The numbers (R, K), float32, of tokens (R, K) at the positions first, first + 1, ..."""
    positions = np.arange(first, first + len(tokens))[:, None]
    return torch.from_numpy(noise.clocks(positions, tokens.cpu().numpy())).to(tokens.device, torch.float32)


def arrivals(probs: Tensor, clocks: Tensor, sharpness: float = 1.0) -> Tensor:
    """When each candidate's clock rings, (R, K): -log U_j / p_j ** sharpness, and never where p_j is 0.

    sharpness above 1 is for drafts: a draft that is unsure of its odds does better with sharper ones.
    """
    return torch.where(probs > 0, -clocks.log() / probs.pow(sharpness), torch.inf)


@dataclass(frozen=True)
class Finish:
    """How the race at R positions ended: the column of the winner, its time, and the time of the second.

    columns (R,) int64; first and second (R,) float32; second is inf where there is one candidate only.
    """

    columns: Tensor
    first: Tensor
    second: Tensor

    @property
    def lead(self) -> Tensor:  # (R,) in (0, 1]
        """How clear each win was: 1 - first / second. Near 0 the second nearly won; 1 without a second."""
        return 1 - self.first / self.second


def race(found: Candidates, clocks: Tensor, sharpness: float = 1.0) -> Finish:
    """The race between the candidates of each position; clocks (R, K) belong to found.tokens."""
    times = arrivals(found.probs, clocks, sharpness)
    best, columns = times.min(-1)
    if times.shape[-1] == 1:
        return Finish(columns, best, torch.full_like(best, torch.inf))
    return Finish(columns, best, times.topk(2, largest=False).values[:, 1])


def losing_clock(times: Tensor, probs: Tensor, column: int) -> float | None:
    """The number U below which the winner of one race loses it, None where nobody else runs.

    times and probs (K,) are those of one position, column is the winner's. The winner rings after the second as soon
    as -log U / p exceeds the second's time.
    """
    others = torch.cat([times[:column], times[column + 1 :]])
    if not len(others) or not bool(torch.isfinite(others).any()):
        return None
    return float(torch.exp(-others.min().double() * probs[column].double()))
