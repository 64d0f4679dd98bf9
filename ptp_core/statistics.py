"""Statistics of proportions, survival and ratios, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_Z = 1.959964  # the normal distribution's 97.5 % point


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) where nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    p, z2 = right / count, _Z * _Z
    middle = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z / (1 + z2 / count) * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
    return (0.0 if right == 0 else middle - half), (1.0 if right == count else middle + half)


def survival(outcomes: Sequence[Sequence[bool]], longest: int) -> tuple[float, ...]:
    """P(N >= k) for k = 1..longest from runs that may have been cut short (Kaplan and Meier's estimate).

    One observation with a rate of 0.3 is added at each depth. So a depth that was rarely reached gives neither 0 nor 1.
    """
    alive, result = 1.0, []
    for k in range(longest):
        reached = [run[k] for run in outcomes if len(run) > k and all(run[:k])]
        alive *= (sum(reached) + 0.3) / (len(reached) + 1)
        result.append(alive)
    return tuple(result)


def expected_calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """The mean distance between confidence and share of right drafts, over equal bins weighted by their size."""
    if not len(confidence):
        return 0.0
    c, r = np.asarray(confidence), np.asarray(right, dtype=float)
    index = np.minimum((c * bins).astype(int), bins - 1)
    gaps = [
        (index == b).sum() * abs(c[index == b].mean() - r[index == b].mean()) for b in range(bins) if (index == b).any()
    ]
    return float(sum(gaps) / len(c))


_BOOTSTRAP_DRAWS = 2000


def bootstrap_ratio(pairs: Sequence[tuple[float, float]], seed: int = 0) -> list[float] | None:
    """The 95 % interval of sum(a) / sum(b) over questions drawn with replacement. None for fewer than two."""
    figures = np.array(pairs, dtype=float).reshape(-1, 2)
    if len(figures) < 2 or not (figures[:, 1] > 0).all():
        return None
    totals = resampled(figures, seed)
    return interval(totals[:, 0] / totals[:, 1])


def resampled(figures: np.ndarray, seed: int) -> np.ndarray:
    """Sums over questions drawn with replacement: (draws, columns)."""
    draws = np.random.default_rng(seed).integers(0, len(figures), (_BOOTSTRAP_DRAWS, len(figures)))
    return figures[draws].sum(1)


def interval(values: np.ndarray) -> list[float]:
    return [float(q) for q in np.quantile(values, [0.025, 0.975])]
