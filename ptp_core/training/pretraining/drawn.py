"""Windows in which the target goes on by itself: what all kinds of slots learn from. Letters as in network.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .loss import USUAL
from .network import Context, SmallLlama


@dataclass(frozen=True)
class Drawn:
    """Windows and what the target picks in them: starts (B, N); u, temperature and tokens (B, N, L).

    probs and ids (B, N, L, K): the target's distributions, in which u picked the tokens by the order of their ids.
    last (B, N): the token before each window. settling (B, N, E): the state that chose the window's first token.
    """

    starts: Tensor
    u: Tensor
    temperature: Tensor
    tokens: Tensor
    probs: Tensor
    ids: Tensor
    last: Tensor
    settling: Tensor
    context: Context

    def u_in(self, order: str) -> Tensor:
        """The u (B, N, L) that pick the same tokens by bins in this order: as even as `u`, and as far into each bin."""
        if order == "token_id":
            return self.u
        mine = (self.ids == self.tokens[..., None]) & (self.probs > 0)
        own = (self.probs * mine).sum(-1)
        first = (self.probs * (self.ids < self.tokens[..., None])).sum(-1)
        across = ((self.u - first) / own).clamp(0, 1)
        ranked = (self.probs > own[..., None]) | ((self.probs == own[..., None]) & (self.ids < self.tokens[..., None]))
        left = (self.probs * ranked).sum(-1)
        right = torch.minimum(left + own, torch.ones(()))
        return torch.minimum(left + across * own, torch.nextafter(right, torch.zeros(()))).clamp(min=0)


@torch.no_grad()
def draw(net: SmallLlama, tokens: Tensor, windows: int, length: int, generator: torch.Generator) -> Drawn:
    """Windows behind even places of tokens (B, T); half of them at T 0.7, the others between 0.4 and 1.2."""
    hidden, context = net.real(tokens)
    b, t = tokens.shape
    starts = torch.randint(8, t + 1, (b, windows), generator=generator)
    free = torch.rand(b, windows, 1, generator=generator)
    temperature = torch.where(free < 0.5, torch.full_like(free, USUAL), 0.4 + 1.6 * (free - 0.5))
    temperature = temperature.expand(-1, -1, length).contiguous()
    u = torch.rand(b, windows, length, generator=generator)
    settling = hidden.gather(1, (starts - 1)[..., None].expand(-1, -1, hidden.shape[-1]))
    picked = net.continue_windows(net.logits(settling), starts, context, u, temperature)
    return Drawn(starts, u, temperature, *picked, tokens.gather(1, starts - 1), settling, context)
