"""What u-slots say: the drafts in their logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.ptp_model import PTPModel
from ..sampling import Candidates, SamplingConfig, candidates


def slot_distribution(logits: Tensor, order: str, full: bool = False) -> Candidates:
    """The distributions that slots' logits (R, V) stand for: as trained, at temperature 1 and unfiltered."""
    return candidates(logits, SamplingConfig(1.0, 0, 1.0, order), full=full)


def read_slots(
    logits: Tensor, u: Sequence[float], sampling: SamplingConfig, argmax: bool
) -> list[tuple[int, float, float]]:
    """(token, probability, margin) of each row of logits (R, V), the drafts of slots with these u's.

    With `argmax`, or at temperature 0, a draft is the likeliest token. Its margin is 1, for it has no bin.
    Otherwise it is Pick(u, the slot's distribution).
    """
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


@dataclass(frozen=True)
class ChainStart:
    """What a branch's chained drafts begin with.

    It holds the slots (L, E), the two tokens before the first draft (nearest last), the target's state (E,) that chose
    the nearest, and the u of each draft (L).
    """

    slots: Tensor
    front: tuple[int, int]
    settling: Tensor
    u: Sequence[float]


def read_chains(
    model: PTPModel, branches: Sequence[ChainStart], sampling: SamplingConfig, argmax: bool
) -> list[list[tuple[int, float, float]]]:
    """As read_slots, for each branch: every draft is told the drafts before it. Branches go on side by side."""
    drawn: list[list[tuple[int, float, float]]] = [[] for _ in branches]
    fronts = [branch.front for branch in branches]
    for depth in range(max((len(branch.slots) for branch in branches), default=0)):
        going = [i for i, branch in enumerate(branches) if depth < len(branch.slots)]
        slots = torch.stack([branches[i].slots[depth] for i in going])
        settling = torch.stack([branches[i].settling for i in going])
        before = torch.tensor([fronts[i] for i in going], device=slots.device)
        logits = model.chain_logits(slots, before, settling)
        for i, found in zip(
            going, read_slots(logits, [branches[i].u[depth] for i in going], sampling, argmax), strict=True
        ):
            drawn[i].append(found)
            fronts[i] = (fronts[i][1], found[0])
    return drawn
