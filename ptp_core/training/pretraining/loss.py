"""The losses of a small target and its slots in one step. Letters as in network.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...sampling import SamplingConfig
from ..windows import IGNORE
from .network import SmallLlama, filtered

USUAL = SamplingConfig().temperature


@dataclass(frozen=True)
class Windows:
    """Windows drawn in a batch of texts: starts (B, N), then (B, N, L) each: temperature, u, targets.

    A target is IGNORE where u cannot be known: behind a token that sampling would never choose.
    """

    starts: Tensor
    temperature: Tensor
    u: Tensor
    targets: Tensor


def draw_windows(logits: Tensor, tokens: Tensor, count: int, length: int, generator: torch.Generator) -> Windows:
    """Windows at even places. Each u lies evenly in the bin that its token has in the target's own distribution.

    logits (B, T, V) of tokens (B, T + 1), of which the last is only predicted. Half the windows have T 0.7.
    """
    b, t = logits.shape[:2]
    starts = torch.randint(8, t - length + 2, (b, count), generator=generator)
    free = torch.rand(b, count, 1, generator=generator)
    temperature = torch.where(free < 0.5, torch.full_like(free, USUAL), 0.4 + 1.6 * (free - 0.5))
    temperature = temperature.expand(-1, -1, length).contiguous()
    places = (starts[..., None] - 1 + torch.arange(length)).flatten(1)  # rows that predict the window's tokens
    rows = logits.gather(1, places[..., None].expand(-1, -1, logits.shape[-1])).float()
    targets = tokens.gather(1, places + 1)
    left, right = bins(rows / temperature.flatten(1)[..., None], targets)
    across = torch.rand(left.shape, generator=generator)
    shape = (b, count, length)
    inside = (right > left).view(shape)
    u = torch.minimum(left + across * (right - left), torch.nextafter(right, torch.zeros(()))).clamp(0, 1).view(shape)
    known = torch.cat([torch.ones_like(inside[..., :1]), inside.cummin(-1).values[..., :-1]], -1) & inside
    return Windows(starts, temperature, u, torch.where(known, targets.view(shape), IGNORE))


def bins(logits: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The interval [left, right) of u that each token has, in the order of token ids; empty for filtered tokens.

    logits (..., V) over temperature, tokens (...).
    """
    probs, ids = filtered(logits)
    mine = (probs * (ids == tokens[..., None])).sum(-1)
    left = (probs * (ids < tokens[..., None])).sum(-1)
    return left, left + mine


def step_loss(
    net: SmallLlama, tokens: Tensor, count: int, length: int, blind: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of the target's rows, of slots told u, and of u-blind slots, for tokens (B, T + 1).

    `count` windows of `length` slots a sequence; the last share `blind` of them is not told u.
    """
    hidden, context = net.real(tokens[:, :-1])
    logits = net.logits(hidden)
    real = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
    if count == 0:
        return real, torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        drawn = draw_windows(logits.detach(), tokens, count, length, generator)
    told = count - round(count * blind)
    rows = net.told(drawn.u[:, :told], drawn.temperature[:, :told])
    if told < count:
        rows = torch.cat([rows, net.blind(drawn.u[:, told:], 1.0)], 1)
    said = net.logits(net.slots(rows, drawn.starts, context)).float()
    return real, _mean(said[:, :told], drawn.targets[:, :told]), _mean(said[:, told:], drawn.targets[:, told:])


def _mean(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the slots that have a target; 0 where none has."""
    total = F.cross_entropy(logits.flatten(0, 2), targets.flatten(), ignore_index=IGNORE, reduction="sum")
    return total / (targets != IGNORE).sum().clamp(min=1)


@torch.no_grad()
def measure(
    net: SmallLlama, tokens: Tensor, batch: int, length: int, generator: torch.Generator
) -> dict[str, float | list[float]]:
    """Figures on held-out tokens (R, T + 1): loss in nats a token, and how often slots are right by place.

    By place, for windows whose tokens all have a bin: told u, u-blind, and runs from the second token on.
    """
    losses, right, right_blind, runs = [], [], [], []
    for part in tokens.split(batch):
        hidden, context = net.real(part[:, :-1])
        logits = net.logits(hidden)
        losses.append(F.cross_entropy(logits.flatten(0, 1).float(), part[:, 1:].flatten()))
        drawn = draw_windows(logits, part, 16, length, generator)
        whole = (drawn.targets != IGNORE).all(-1)
        usual = whole & (drawn.temperature[..., 0] == torch.tensor(USUAL))
        hits = []
        for rows in (net.told(drawn.u, drawn.temperature), net.blind(drawn.u, 1.0)):
            said = net.logits(net.slots(rows, drawn.starts, context)).argmax(-1)
            hits.append((said == drawn.targets)[usual].float())
        right.append(hits[0])
        right_blind.append(hits[1])
        runs.append(torch.stack([hit[:, 1:].cumprod(-1).sum(-1) for hit in hits], -1))
    run = torch.cat(runs).mean(0) + 1
    return {
        "loss": float(torch.stack(losses).mean()),
        "told": [round(float(x), 3) for x in torch.cat(right).mean(0)],
        "blind": [round(float(x), 3) for x in torch.cat(right_blind).mean(0)],
        "tokens_per_call": [round(float(x), 3) for x in run],
        "windows": len(torch.cat(right)),
    }
