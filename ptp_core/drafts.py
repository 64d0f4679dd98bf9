"""What u-slots say: the drafts in their logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .model import PTPModel
from .sampling import Candidates, SamplingConfig, candidates


def slot_distribution(logits: Tensor, order: str, full: bool = False) -> Candidates:
    """The distributions that slots' logits (R, V) stand for: as trained, at temperature 1 and unfiltered."""
    return candidates(logits, SamplingConfig(1.0, 0, 1.0, order), full=full)


def read_slots(
    logits: Tensor, u: Sequence[float], sampling: SamplingConfig, argmax: bool
) -> list[tuple[int, float, float]]:
    """(token, probability, margin) of each row of logits (R, V): the argmax where the slot read its own u
    (its margin is 1: there is no bin) or where the temperature is 0, else Pick(u, the slot's distribution)."""
    if argmax or sampling.temperature == 0:
        top, best = (logits - logits.logsumexp(-1, keepdim=True)).max(-1)
        return list(zip(best.tolist(), top.exp().tolist(), [1.0] * len(best), strict=True))
    found = slot_distribution(logits, sampling.order)
    values = torch.tensor(u, device=logits.device)
    columns = found.find(values).clamp(max=found.tokens.shape[1] - 1)[:, None]
    left, right = found.left.gather(1, columns).squeeze(1), found.right.gather(1, columns).squeeze(1)
    margins = torch.minimum(values - left, right - values).clamp(min=0).tolist()
    probs = found.probs.gather(1, columns).squeeze(1).tolist()
    return list(zip(found.tokens.gather(1, columns).squeeze(1).tolist(), probs, margins, strict=True))


def read_chain(
    model: PTPModel,
    slots: Tensor,
    front: tuple[int, int],
    settling: Tensor,
    u: Sequence[float],
    sampling: SamplingConfig,
    argmax: bool,
) -> list[tuple[int, float, float]]:
    """As read_slots, for hidden states (L, E) of slots that are told their predecessors: the first one the tokens
    in `front`, nearest last, each other the drafts before it. settling (E,): the target's state that chose the nearest.
    """
    drawn: list[tuple[int, float, float]] = []
    for slot, value in zip(slots, u, strict=True):
        logits = model.chain_logits(slot[None], torch.tensor([front], device=slot.device), settling[None])
        drawn += read_slots(logits, [value], sampling, argmax)
        front = (front[1], drawn[-1][0])
    return drawn
