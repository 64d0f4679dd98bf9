"""The paper's map: one u per position falls into a bin of the CDF, t = min{j : F_j > u}."""

from __future__ import annotations

import torch
from torch import Tensor

from ..noise import NoiseTape
from ..sampling import Candidates, slot_distribution_unseen
from .base import Coupling, Drawn, Noise, Stay, couples


@couples
class InverseCDF(Coupling):
    """Bins of u, in the order of the sampling's CDF."""

    name, one_number, shortlist = "inverse_cdf", True, True

    def columns(self, found: Candidates, noise: Noise, clocks: Tensor | None = None) -> Tensor:
        return found.find(torch.as_tensor(noise.u, device=found.right.device))

    def stay(
        self, found: Candidates, column: int, noise: NoiseTape, position: int, clocks: Tensor | None = None
    ) -> Stay:
        u, lefts, rights = noise[position], found.left[0], found.right[0]
        left, right = float(lefts[column]), float(rights[column])
        distances = [d for d, other in ((u - left, left > 0), (right - u, right < 1)) if other]
        return Stay(u, left, right, min(distances) if distances else None, lefts, rights, None)

    def runners(self, logits: Tensor, order: str, sharpness: float) -> Candidates:
        return slot_distribution_unseen(logits, order)

    def drawn(self, found: Candidates, noise: Noise) -> Drawn:
        """The margin is u's distance to the nearer edge of the drafted bin."""
        u = torch.as_tensor(noise.u, device=found.right.device)
        columns = found.find(u).clamp(max=found.tokens.shape[1] - 1)[:, None]
        left, right = found.left.gather(1, columns).squeeze(1), found.right.gather(1, columns).squeeze(1)
        margins = torch.minimum(u - left, right - u).clamp(min=0)
        return found.tokens.gather(1, columns).squeeze(1), found.probs.gather(1, columns).squeeze(1), margins

    def answers(
        self, found: Candidates, noise: NoiseTape, position: int, token: int, most: int
    ) -> list[tuple[int, float, float, float]]:
        return found.listed(most)[0]

    def moved(self, noise: NoiseTape, position: int, token: int, value: float) -> NoiseTape:
        return noise.with_value(position, value)

    def number(self, noise: NoiseTape, position: int, token: int) -> float:
        return noise[position]

    def same(self, a: NoiseTape, b: NoiseTape, position: int) -> bool:
        return a[position] == b[position]
