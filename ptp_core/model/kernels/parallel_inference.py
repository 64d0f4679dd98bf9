"""Drafting with parallel shallow slots: one pass for all slots of a window, then a small step for each draft.

    E hidden size    W tokens of the draft vocabulary    M width of the Markov head    N slots of a window

Behind the last norm, everything up to the logits is linear in what the Markov head adds. So its last product and the
output layer become one, (W, M).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import KVCache
from .products import product, side_by_side, units
from .shallow_inference import Drafting, PackedShallow, through


class PackedParallel(PackedShallow):
    """As PackedShallow, with the Markov head behind it."""

    @torch.no_grad()
    def __init__(self, markov: Any, **packing: Any) -> None:
        """packing: what PackedShallow is made of."""
        super().__init__(**packing)
        norm, head, vocabulary = packing["norm"], packing["head"], packing["vocabulary"]
        self.norm = norm.weight.detach().float()
        slot, token = markov.inner.weight.detach().chunk(2, dim=1)
        self.of_slot, self.of_token = slot.clone(), token.clone()
        self.markov_bias = markov.inner.bias.detach().clone()
        chosen = head.weight[vocabulary.to(head.weight.device)].float()
        self.correction = product((chosen @ markov.outer.weight.detach().float(), None), self.dtype)


class ParallelDrafting(Drafting):
    """One window of parallel slots. The first draft runs the network; every draft runs the Markov head.

    masks (N - 1, E), what stands for the tokens that slots are not told; the rest is as Drafting's.
    """

    _packed: PackedParallel

    def __init__(
        self,
        packed: PackedParallel,
        embed: nn.Embedding,
        settling: Tensor,
        noise: Tensor,
        turns: tuple[Tensor, Tensor],
        cache: KVCache,
        masks: Tensor,
    ) -> None:
        super().__init__(packed, embed, settling, noise, turns, cache)
        self._masks = masks
        self._base: Tensor | None = None  # (N, W)
        self._slots: Tensor | None = None  # (N, 2 M), the slots' share in the Markov head's first product

    def next(self, token: int) -> Tensor:
        """Logits (1, W), float32, of the token behind `token`."""
        packed, k = self._packed, self._length
        before = self._embed(torch.tensor([token], device=self._embed.weight.device))
        if self._base is None or self._slots is None:
            self._base, self._slots = self._run(before)
        self._length += 1
        inner = self._slots[k : k + 1] + F.linear(side_by_side(before), packed.of_token)
        gate, up = inner.chunk(2, dim=-1)
        return self._base[k : k + 1] + packed.correction((F.silu(gate) * up).to(packed.dtype)).float()

    def _run(self, settled: Tensor) -> tuple[Tensor, Tensor]:
        packed = self._packed
        told = side_by_side(torch.cat([settled.float(), self._masks.to(settled.device)]))
        x = self._begin + F.linear(told, packed.token)
        cos, turn = self._turns
        for layer in packed.layers:
            x = through(packed, layer, x, cos, turn, self._cache)
        last = units(x, packed.eps)
        inner = F.linear(side_by_side(last * packed.norm), packed.of_slot, packed.markov_bias)
        return packed.output(last.to(packed.dtype)).float(), inner
