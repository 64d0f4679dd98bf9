"""How often a draft picks the target's token from the same noise, by rule and by how good the draft is.

    N pairs of distributions    V tokens

A draft that knows its own odds q can use the noise in several ways. For each way the share of the noise on which it
picks the target's token (odds p) is known exactly, so nothing is sampled here.

    argmax       the draft ignores the noise and says its likeliest token       p_a, a = argmax q
    probability  both map u by an inverse CDF in order of their own odds        overlap of the tokens' bins
    token_id     both map u by an inverse CDF in order of token id              overlap of the tokens' bins
    gumbel       both run the same race of clocks (coupling.py)                 sum_j 1 / sum_i max(p_i/p_j, q_i/q_j)
    limit        the best that any coupling of p and q can do                   1 - TV(p, q) = sum_j min(p_j, q_j)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..sampling import order_by

SHARPNESS = (1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0)  # exponents of q that a draft may choose from
_MOST_ROWS = 256  # of the pairwise ratios at a time


def _argmax(p: Tensor, q: Tensor) -> Tensor:
    return p.gather(1, q.argmax(-1, keepdim=True)).squeeze(1)


def _overlap(order: str) -> Callable[[Tensor, Tensor], Tensor]:
    def edges(probs: Tensor) -> tuple[Tensor, Tensor]:
        found = order_by(probs, order)  # in float32, as decoding has it
        left, right = (torch.empty_like(part).scatter_(1, found.tokens, part) for part in (found.left, found.right))
        return left.double(), right.double()

    def agree(p: Tensor, q: Tensor) -> Tensor:
        (a, b), (c, d) = edges(p), edges(q)
        return (torch.minimum(b, d) - torch.maximum(a, c)).clamp(min=0).sum(-1)

    return agree


def _gumbel(p: Tensor, q: Tensor) -> Tensor:
    rows = []
    for a, b in zip(p.split(_MOST_ROWS), q.split(_MOST_ROWS), strict=True):
        tiny = torch.finfo(a.dtype).tiny
        ratio = torch.maximum(
            a[:, :, None] / a[:, None, :].clamp(min=tiny), b[:, :, None] / b[:, None, :].clamp(min=tiny)
        )
        share = 1 / ratio.sum(1)  # (N, V): both pick token j
        rows.append(torch.where((a > 0) & (b > 0), share, 0.0).sum(-1))
    return torch.cat(rows)


def _limit(p: Tensor, q: Tensor) -> Tensor:
    return torch.minimum(p, q).sum(-1)


RULES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "argmax": _argmax,
    "probability": _overlap("probability"),
    "token_id": _overlap("token_id"),
    "gumbel": _gumbel,
    "limit": _limit,
}


def agreement(p: Tensor, q: Tensor, rule: str) -> Tensor:
    """The share (N,) of the noise on which draft and target pick the same token; their odds are q and p, both (N, V).

    Both are probabilities. Raises ValueError for an unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f"The rule is one of {', '.join(RULES)}, got {rule!r}.")
    return RULES[rule](p.double(), q.double())


@dataclass(frozen=True)
class Quality:
    """Pairs of one quality: `low` <= 1 - TV < `high`. shares[rule] is the mean agreement, each rule at its own best
    exponent of q (`sharpness[rule]`)."""

    low: float
    high: float
    count: int
    mean_quality: float
    shares: Mapping[str, float]
    sharpness: Mapping[str, float]


def by_quality(p: Tensor, q: Tensor, edges: Sequence[float]) -> list[Quality]:
    """Mean agreement of pairs p, q (N, V) in each bin of quality 1 - TV; bins without pairs are left out."""
    quality = _limit(p.double(), q.double())
    found = []
    for low, high in pairwise(edges):
        chosen = (quality >= low) & (quality < high)
        if not bool(chosen.any()):
            continue
        shares, sharpness = {}, {}
        for rule in RULES:
            best = max(
                (float(agreement(p[chosen], sharpened(q[chosen], g), rule).mean()), -g)
                for g in (SHARPNESS if rule != "argmax" else (1.0,))
            )
            shares[rule], sharpness[rule] = best[0], -best[1]
        found.append(Quality(low, high, int(chosen.sum()), float(quality[chosen].mean()), shares, sharpness))
    return found


def sharpened(probs: Tensor, exponent: float) -> Tensor:
    """probs (..., V) to a power, summing to 1 again."""
    power = probs.double().pow(exponent)
    return power / power.sum(-1, keepdim=True)


def synthetic_pairs(count: int, size: int, spread: float, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Pairs p, q (count, size): logits of p are normal with deviation `spread`; those of q have `noise` added."""
    draw = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(count, size, generator=draw, dtype=torch.float64)
    wrong = noise * torch.randn(count, size, generator=draw, dtype=torch.float64)
    return logits.softmax(-1), (logits + wrong).softmax(-1)
