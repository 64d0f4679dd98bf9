"""The paper's map: one u per position falls into a bin of the CDF, t = min{j : F_j > u}."""

from __future__ import annotations

import torch
from torch import Tensor

from ..noise import NoiseTape
from ..sampling import Candidates, slot_distribution
from .base import Coupling, Read, Stay, couples
from .noise_at import Joined, NoiseAt


@couples
class InverseCDF(Coupling):
    """Bins of u, in the order of the sampling's CDF."""

    name, one_number, shortlist = "inverse_cdf", True, True

    def columns(self, found: Candidates, noise: NoiseAt | Joined, clocks: Tensor | None = None) -> Tensor:
        return found.find(torch.tensor(noise.u, device=found.right.device))

    def stay(
        self, found: Candidates, column: int, noise: NoiseTape, position: int, clocks: Tensor | None = None
    ) -> Stay:
        u, lefts, rights = noise[position], found.left[0], found.right[0]
        left, right = float(lefts[column]), float(rights[column])
        distances = [d for d, other in ((u - left, left > 0), (right - u, right < 1)) if other]
        return Stay(u, left, right, min(distances) if distances else None, lefts, rights, None)

    def read(
        self, logits: Tensor, noise: NoiseAt | Joined, order: str, sharpness: float, vocabulary: Tensor | None
    ) -> Read:
        """The margin is u's distance to the nearer edge of the drafted bin."""
        found = slot_distribution(logits, order).cpu()
        u = torch.tensor(noise.u)
        columns = found.find(u).clamp(max=found.tokens.shape[1] - 1)[:, None]
        left, right = found.left.gather(1, columns).squeeze(1), found.right.gather(1, columns).squeeze(1)
        margins = torch.minimum(u - left, right - u).clamp(min=0).tolist()
        tokens = found.tokens.gather(1, columns).squeeze(1)
        tokens = tokens if vocabulary is None else vocabulary.cpu()[tokens]
        return list(zip(tokens.tolist(), found.probs.gather(1, columns).squeeze(1).tolist(), margins, strict=True))

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
