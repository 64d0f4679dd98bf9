"""Passes over whole texts, many at once: their own rows, and windows of slots behind any of their tokens.

B texts    S tokens of each, filled up on the right    N windows per text    L slots per window
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .attention import KVCache
from .layout import additive
from .ptp_model import PTPModel

_WIDTHS = 64


def padded_width(length: int, device: torch.device) -> int:
    """How wide a batch is whose longest row has so many tokens: in steps of 64, so that a GPU meets few shapes.

    On the CPU it is no wider than it must be.
    """
    return length if device.type == "cpu" else -(-length // _WIDTHS) * _WIDTHS


def read_texts(model: PTPModel, texts: Sequence[Sequence[int]]) -> tuple[Tensor, KVCache, Tensor]:
    """The target's pass over the texts: input_ids (B, S), their cache, hidden states (B, S, E)."""
    width = padded_width(max(map(len, texts)), model.device)
    input_ids = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in texts], device=model.device)
    context = model.new_cache(width)
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = additive(causal, model.device, model.dtype)[None, None]
    hidden = model(input_ids, positions=torch.arange(width), mask=mask, cache=context)
    context.keep(width)
    return input_ids, context, hidden


def rows_before(hidden: Tensor, starts: Tensor) -> Tensor:
    """hidden (B, S, E), starts (B, N) -> (B, N, E): the rows that decide the tokens at the starts."""
    return hidden.gather(1, (starts - 1)[..., None].expand(-1, -1, hidden.shape[-1]))


def slot_windows(
    model: PTPModel, input_ids: Tensor, starts: Tensor, u: Tensor, temperature: Tensor, context: KVCache
) -> Tensor:
    """Last hidden states (B, N, L, E) of slots behind `starts` (B, N) real tokens each; differentiable in the adapter.

    u (B, N, L) is what each slot carries, temperature (B,) each text's. context holds the texts' rows.
    """
    config = model.require_adapter()
    length = u.shape[-1]
    temperature = temperature.to(model.device)[:, None, None].expand_as(u).flatten()
    anchors = input_ids.gather(1, starts - 1).flatten()
    firsts = torch.arange(0, u.numel(), length)
    slots = model.embed_slots(u.flatten(), temperature, firsts, anchors).view(*u.shape, -1)
    offsets = torch.arange(length, device=model.device)
    positions = (starts[..., None] + config.lead + config.position_shift + offsets).flatten(1)
    columns = torch.arange(context.length, device=model.device)
    seen = columns < starts[..., None, None].expand(-1, -1, length, -1).flatten(1, 2)  # (B, N L, S)
    mask = additive(seen, model.device, model.dtype)[:, None]
    return model.forward_windows(slots, positions=positions, mask=mask, context=context)
