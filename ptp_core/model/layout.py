"""Who attends to whom: positions and masks of calls that carry real tokens and u-slots.

    C  tokens in the KV cache            R  real rows of this call (pending tokens, then drafts)
    S  u-slot rows of this call          Q = R + S rows in all
    N  training windows per sequence     L  slots per window

A decoding call's rows, with g drafts and branches that assume m of them right:

    columns:   cache 0..C-1 | pending | d_1 .. d_g | branch m=0 slots | branch m=1 slots | ...
    pending    all            causal
    drafts     all            all       causal
    slots of m all            all       d_1..d_m     own branch, causal; nothing of the others

No real row ever attends to a slot, so slots change nothing about the target. A slot that predicts the token at position
p has RoPE position p + shift. With shift -1 this is the row from which the target predicts that token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CallLayout:
    """positions: RoPE positions (Q,) int64. mask: (Q, C + Q) bool, True where a row may attend.

    branch_rows[i]: the slot rows of branch i, counted from the first slot.
    """

    positions: Tensor
    mask: Tensor
    branch_rows: list[range]


def call_layout(
    num_context: int,
    num_pending: int,
    num_drafts: int,
    branches: Sequence[tuple[int, int]] = (),
    lead: int = 0,
    shift: int = -1,
) -> CallLayout:
    """Layout of one decoding call; `branches` holds (assumed drafts m, number of slots) pairs.

    lead tells which token a branch's first slot predicts. 0: the next token behind the assumed prefix (O-PTP). 1: the
    one after it (C-PTP, whose slot carries the u of the next token).
    """
    real = num_pending + num_drafts
    rows = real + sum(length for _, length in branches)
    mask = torch.zeros(rows, num_context + rows, dtype=torch.bool)
    mask[:, :num_context] = True
    own = mask[:, num_context:]  # (Q, Q)
    own[:real, :real] = torch.ones(real, real, dtype=torch.bool).tril_()
    positions = list(range(num_context, num_context + real))
    branch_rows = []
    start = real
    for assumed, length in branches:
        end = start + length
        own[start:end, : num_pending + assumed] = True
        own[start:end, start:end] = torch.ones(length, length, dtype=torch.bool).tril_()
        predicted = num_context + num_pending + assumed + lead
        positions += range(predicted + shift, predicted + shift + length)
        branch_rows.append(range(start - real, end - real))
        start = end
    return CallLayout(torch.tensor(positions), mask, branch_rows)


def tree_layout(num_context: int, parents: Sequence[int], shift: int) -> CallLayout:
    """Layout of slots that form a forest: each sees the context, its ancestors and itself.

    parents[i] < i is the slot before slot i, -1 for none; a root has RoPE position num_context + shift.
    """
    own = torch.eye(len(parents), dtype=torch.bool)
    depths: list[int] = []
    for i, parent in enumerate(parents):
        if parent >= 0:
            own[i] |= own[parent]
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    mask = torch.cat([torch.ones(len(parents), num_context, dtype=torch.bool), own], dim=1)
    return CallLayout(torch.tensor(depths) + num_context + shift, mask, [])


def additive(seen: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """What is added to attention scores, of the same shape: 0 where `seen` is True, else the lowest number."""
    out = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return out.masked_fill_(~seen, torch.finfo(dtype).min).to(device)
