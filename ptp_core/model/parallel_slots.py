"""Parallel shallow slots: all drafts of a window in one pass through the target's last layers, then a Markov head.

    R rows    B sequences    N windows of L slots    E hidden size    D head size

Shallow slots (shallow_slots.py) draft in turn: each goes through the last layers by itself. Parallel ones go through
them together. The first is told the settled token. The others have a learned vector in its place, one for each place in
the window. They read the keys of the slots before them.

So a slot does not know the drafts in front of it. The Markov head makes up for that. It reads the slot's last state and
the one token before the draft, and changes the state. It costs a small product for each draft.

DFlash drafts a block in one pass. DSpark puts a Markov head behind such a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import KVCache
from .config import ParallelConfig
from .kernels.parallel_inference import PackedParallel, ParallelDrafting
from .kernels.products import rotary_turns, side_by_side
from .shallow_slots import ShallowSlots


class MarkovHead(nn.Module):
    """From slots (..., E) and the embeddings of the tokens before their drafts (..., E) to new states (..., E).

    Before training these are the slots' own.
    """

    def __init__(self, hidden_size: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(2 * hidden_size, 2 * width)
        self.outer = nn.Linear(width, hidden_size, bias=False)
        nn.init.zeros_(self.outer.weight)

    def forward(self, slots: Tensor, before: Tensor) -> Tensor:
        gate, up = self.inner(side_by_side(slots, before)).chunk(2, dim=-1)
        return slots.float() + self.outer(F.silu(gate) * up)


class ParallelSlots(ShallowSlots):
    """The parallel shallow slots of a target: what is trained, and the frozen layers that they run through.

    Raises ValueError if the target has too few layers or another layout than Llama's.
    """

    config: ParallelConfig

    def __init__(self, config: ParallelConfig, target: Any) -> None:
        super().__init__(config, target)
        size = int(target.config.hidden_size)
        self.masks = nn.Parameter(0.02 * torch.randn(max(config.window - 1, 1), size))
        self.markov = MarkovHead(size, config.markov)

    def windows(
        self, u: Tensor, temperature: Tensor, tokens: Tensor, settling: Tensor, positions: Tensor, seen: Tensor,
        context: KVCache,
    ) -> Tensor:  # fmt: skip
        """As ShallowSlots.windows. Only the Markov head reads the tokens behind each window's first."""
        slots = super().windows(u, temperature, tokens, settling, positions, seen, context)
        return self.markov(slots, self._embed[0](tokens))

    def _told(self, tokens: Tensor) -> Tensor:
        first = self._embed[0](tokens[..., :1]).float()
        return torch.cat([first, self._masks(tokens.shape[-1] - 1).expand(*tokens.shape[:-1], -1, -1)], dim=-2)

    def _masks(self, count: int) -> Tensor:
        """(count, E). Slots behind the window's end share its last vector."""
        return self.masks[torch.arange(count, device=self.masks.device).clamp(max=len(self.masks) - 1)]

    def _pack(self) -> PackedParallel:
        return PackedParallel(self.markov, **self._packing())

    def drafting(self, settling: Tensor, u: Sequence[float], temperature: float, cache: KVCache) -> ParallelDrafting:
        """Slots with noise u behind the cached text and one token more, which the state settling (E,) chose."""
        packed = self._packed()
        assert isinstance(packed, PackedParallel)
        positions = torch.arange(cache.length, cache.length + len(u), device=settling.device)
        turns = rotary_turns(self._rotary[0], settling[None, None].float(), positions[None])
        noise = self.u_embed(torch.tensor(u, device=self.entry.weight.device), temperature)
        return ParallelDrafting(packed, self._embed[0], settling, noise, turns, cache, masks=self._masks(len(u) - 1))
