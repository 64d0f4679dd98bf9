"""Partial quadratic decoding's arithmetic: which outcomes to prepare for, and with how many slots.

While a call verifies g drafts, branch m (m = 0..g) prepares for the outcome "m were right". A
branch of b slots brings gain[b] right drafts on average if its outcome comes true. All pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def branch_probabilities(confidences: Sequence[float]) -> list[float]:
    """P(m) for m = 0..g from g confidences: m drafts right and then a wrong one, or all right. They sum to 1."""
    probabilities, reached = [], 1.0
    for c in confidences:
        probabilities.append(reached * (1 - c))
        reached *= c
    return [*probabilities, reached]


def expected_gain(run: Sequence[float], num_settled: int, max_slots: int) -> list[float]:
    """gain[b] = E[min(N, b - num_settled)] for b = 0..max_slots, from run[k-1] = P(N >= k).

    num_settled slots at a branch's start only stand for the token that verification itself decides.
    """
    gain, total = [0.0], 0.0
    for b in range(1, max_slots + 1):
        k = b - num_settled
        if 1 <= k <= len(run):
            total += run[k - 1]
        gain.append(total)
    return gain


class Allocations:
    """The best branch lengths for every budget at once: those with the largest sum P(m) gains[m][B_m].

    Exact, by dynamic programming over the branches. limits[m] is the most slots of branch m.
    """

    def __init__(
        self, probabilities: Sequence[float], gains: Sequence[Sequence[float]], budget: int, limits: Sequence[int]
    ) -> None:
        self.best = np.zeros(budget + 1)  # best[b] = gain expected of b slots
        self._choice = []  # per branch: its length in the best use of b slots
        for probability, gain, limit in zip(probabilities, gains, limits, strict=True):
            best, choice = self.best.copy(), np.zeros(budget + 1, dtype=int)
            for length in range(1, min(limit, len(gain) - 1, budget) + 1):
                tried = self.best[: budget + 1 - length] + probability * gain[length]
                better = tried > best[length:] + 1e-12  # of equals the shorter
                best[length:][better] = tried[better]
                choice[length:][better] = length
            self.best = best
            self._choice.append(choice)

    def lengths(self, budget: int) -> list[int]:
        """branch_lengths of the best use of at most `budget` slots."""
        lengths = []
        for choice in reversed(self._choice):
            lengths.append(int(choice[budget]))
            budget -= lengths[-1]
        return lengths[::-1]


def allocate(
    probabilities: Sequence[float], gain: Sequence[float], budget: int, limits: Sequence[int] | None = None
) -> list[int]:
    """branch_lengths: at most `budget` slots spread over the branches so that sum P(m) gain[B_m] is largest."""
    count = len(probabilities)
    caps = [len(gain) - 1] * count if limits is None else limits
    return Allocations(probabilities, [gain] * count, budget, caps).lengths(budget)


def calibrated(prob: float, margin: float, weights: Sequence[float] | None) -> float:
    """Confidence in a draft from its probability and u's distance to its bin's edges.

    weights = (of logit(prob), of log(margin), constant), fitted on data and kept with the adapter;
    None trusts prob as it is. Result in (0, 1).
    """
    prob = min(max(prob, 1e-6), 1 - 1e-6)
    if weights is None:
        return prob
    score = weights[0] * math.log(prob / (1 - prob)) + weights[1] * math.log(max(margin, 1e-6)) + weights[2]
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
