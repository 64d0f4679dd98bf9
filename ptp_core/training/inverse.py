"""Inverse autoregressive training: PTP from data alone, without a teacher.

The u's that would have produced a text are inferred token by token. The student predicts the distribution of token k
from the u's before it. Then u_k is drawn inside the bin of the text's token, under the student's own CDF. One
cross-entropy step on all tokens at once follows.

    B sequences    N windows per sequence    L slots per window    R = B N L rows    V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..model.attention import KVCache
from ..model.ptp_model import PTPModel
from ..sampling import SamplingConfig, candidates
from .conversations import Conversation
from .windows import IGNORE, Batch, WindowConfig, draw_u, real_rows, rows_before, window_hidden

Predict = Callable[[Tensor], Tensor]
"""u (R, k) of the tokens so far -> logits (R, V) of token k."""


@torch.no_grad()
def infer_u(predict: Predict, tokens: Tensor, order: str, generator: torch.Generator) -> Tensor:
    """u (R, L) that make the student say tokens (R, L), each uniform in its bin.

    predict is called L times, with growing prefixes of u.
    """
    own = SamplingConfig(1.0, 0, 1.0, order)
    u = torch.empty(len(tokens), 0, device=tokens.device)
    for k in range(tokens.shape[1]):
        drawn, _ = draw_u(candidates(predict(u), own), tokens[:, k], 1.0, generator)
        u = torch.cat([u, drawn[:, None]], dim=1)
    return u


@torch.no_grad()
def draw_inverse_windows(
    model: PTPModel, rows: Sequence[Conversation], config: WindowConfig, generator: torch.Generator
) -> tuple[Batch, KVCache]:
    """Windows at random starts of the answers, their u's inferred under the draft model as it is now.

    The token that a c-ptp window without a start slot begins behind is the target's own: its u comes
    from the target's distribution. Raises ValueError for variants that do not predict distributions.
    """
    adapter = model.require_adapter()
    if adapter.variant != "c-ptp":
        raise ValueError("Inverse autoregressive training needs a c-ptp adapter: its slots predict distributions.")
    input_ids, context, hidden = real_rows(model, rows)
    count = max(1, min(config.count, max(len(row.ids) - row.p - adapter.lead for row in rows)))
    starts = torch.stack([_draw_starts(row, count, adapter.lead, generator) for row in rows]).to(model.device)
    ends = torch.tensor([len(row.ids) for row in rows], device=model.device)[:, None, None]
    places = starts[..., None] + torch.arange(config.length + adapter.lead, device=model.device)  # (B, N, L + lead)
    tokens = input_ids[:, None].expand(-1, count, -1).gather(2, places.clamp(max=input_ids.shape[1] - 1))
    inside = (places < ends) & (starts[..., None] < ends)

    settling = rows_before(hidden, starts)
    temperature = torch.tensor([row.temperature for row in rows])  # the texts' own, as when it drafts at that one
    empty = torch.zeros(*tokens.shape[:2], config.length, 0, dtype=torch.long, device=model.device)

    def batch_of(u: Tensor, own_u: Tensor, targets: Tensor) -> Batch:
        return Batch(input_ids, starts, u, own_u, targets, empty, empty.float(), temperature, settling)

    def predict(u: Tensor) -> Tensor:
        so_far = u.view(*tokens.shape[:2], -1)  # (B, N, k)
        if adapter.lead and not u.shape[1]:
            return model.logits(settling).flatten(0, 1)
        # a start slot stands before the u's, so its window is one longer; the added u is not read
        carried = so_far if adapter.lead else torch.cat([so_far, torch.zeros_like(tokens[..., :1]).float()], dim=-1)
        last = window_hidden(model, batch_of(carried, carried, carried.long()), context)[:, :, -1]
        return model.logits(last).flatten(0, 1)

    u = infer_u(predict, tokens.flatten(0, 1), config.order, generator).view(tokens.shape)
    own_u, targets = u[..., adapter.lead :], tokens[..., adapter.lead :]
    carried = u[..., : config.length] if adapter.lead else own_u
    return batch_of(carried, own_u, torch.where(inside[..., adapter.lead :], targets, IGNORE)), context


def _draw_starts(row: Conversation, count: int, lead: int, generator: torch.Generator) -> Tensor:
    """(count,) starts in the answer; those of a short answer are filled up with its end, which counts nothing."""
    possible = torch.arange(row.p, len(row.ids) - lead)
    chosen = possible[torch.randperm(len(possible), generator=generator)[:count]].sort().values
    return torch.cat([chosen, torch.full((count - len(chosen),), len(row.ids))])
