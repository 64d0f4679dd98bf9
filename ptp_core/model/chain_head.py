"""The chain: drafts that are told the tokens before them, one after the other.

    R rows    E hidden size    V vocabulary

A u-slot has to guess the tokens before its own. But verification settles the first token of a branch: it becomes known.
The chain head corrects the slots behind it. It reads a slot's last hidden state, the embeddings of the two tokens
before the draft, and the target's hidden state that settled the branch. It returns a new hidden state for the slot. The
draft read from it is then a token before the next one. A draft costs one small network, and no call of the model.

This is the lab's addition to the paper's PTP, whose slots draft in one step, from u alone. Draft heads that depend on
one another are known from Hydra (Ankner et al. 2024) and EAGLE (Li et al. 2024). Those read the target's states,
without u.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .kernels.products import PackedLinear

NUM_BEFORE = 2  # how many tokens before it a draft is told


class ChainHead(nn.Module):
    """From slots (R, E) to their new hidden states (R, E), float32. Before training these are the slots' own.

    before: embeddings of the two tokens before each draft (R, 2, E), nearest last. settling: the target's states that
    settled the branches (R, E).
    """

    def __init__(self, hidden_size: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear((2 + NUM_BEFORE) * hidden_size, 2 * width)
        self.outer = nn.Linear(width, hidden_size)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, slots: Tensor, before: Tensor, settling: Tensor) -> Tensor:
        gate, up = self.inner(_side_by_side(slots, before, settling)).chunk(2, dim=-1)
        return slots.float() + self.outer(F.silu(gate) * up)


class PackedChain:
    """A chain head and the output layer behind it on the CPU, prepacked for oneDNN.

    It runs in bfloat16 where the processor has it. Rounding may change a draft; the target checks every draft anyway.
    """

    def __init__(self, chain: ChainHead, output: nn.Linear) -> None:
        self._dtype = torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
        self._inner, self._outer, self._output = map(self._packed, (chain.inner, chain.outer, output))

    def beside(self, chain: ChainHead) -> PackedChain:
        """Another chain head before the same packed output layer."""
        twin = copy.copy(self)
        twin._inner, twin._outer = self._packed(chain.inner), self._packed(chain.outer)
        return twin

    def _packed(self, layer: nn.Linear) -> PackedLinear:
        return PackedLinear(layer.weight.to(self._dtype), None if layer.bias is None else layer.bias.to(self._dtype))

    def __call__(self, slots: Tensor, before: Tensor, settling: Tensor) -> Tensor:
        """Logits (R, V), float32; arguments as ChainHead's."""
        gate, up = self._inner(_side_by_side(slots, before, settling).to(self._dtype)).chunk(2, dim=-1)
        hidden = slots + self._outer(F.silu(gate) * up)
        return self._output(hidden.to(self._dtype)).float()


def _side_by_side(slots: Tensor, before: Tensor, settling: Tensor) -> Tensor:
    """(R, 4 E), float32: each part normalised on its own."""
    parts = torch.stack([slots, *before.unbind(1), settling], dim=1).float()
    return F.layer_norm(parts, parts.shape[-1:]).flatten(1)
