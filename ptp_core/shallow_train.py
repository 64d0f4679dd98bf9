"""Training shallow slots: the windows of distillation, drafted behind the settled token by the target's last layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .attention import KVCache
from .data import Conversation
from .distill import IGNORE, Batch, WindowConfig, draw_windows, restricted_vocabulary, slot_loss
from .masks import additive
from .model import PTPModel
from .shallow import fit_entry, frequent_tokens

_FIT_ROWS = 24  # conversations that the entry's least squares read


def shallow_hidden(model: PTPModel, batch: Batch, context: KVCache) -> Tensor:
    """Last hidden states (B, N, L - s, E) of shallow slots in place of those behind the s settled ones: each is told
    the text's own token in front of its own."""
    slots, settled = model.require_shallow(), model.require_adapter().num_settled
    u = batch.own_u[..., settled:]
    device = batch.starts.device
    places = batch.starts[..., None] + torch.arange(u.shape[-1], device=device)  # (B, N, L - s)
    last = batch.input_ids.shape[1] - 1
    tokens = batch.input_ids.gather(1, places.flatten(1).clamp(max=last)).view(places.shape)
    temperature = batch.temperature.to(device)[:, None, None].expand_as(u)
    seen = torch.arange(context.length, device=device) < batch.starts[..., None]
    return slots.windows(u, temperature, tokens, batch.settling, places, seen, context)


def shallow_loss(
    model: PTPModel,
    rows: Sequence[Conversation],
    drawing: WindowConfig,
    generator: torch.Generator,
    loss: str = "cross_entropy",
    decay: float = 0.75,
    restricted: bool = True,
) -> tuple[Tensor, int]:
    """Loss of windows of drawing.length shallow slots at random starts, and how many targets it counts."""
    settled = model.require_adapter().num_settled
    batch, context = draw_windows(model, rows, replace(drawing, length=drawing.length + settled), generator)
    hidden = shallow_hidden(model, batch, context)
    vocabulary = restricted_vocabulary(batch) if restricted else None
    found = slot_loss(model, batch, hidden, settled, loss, decay, vocabulary)
    return found, int((batch.targets[..., settled:] != IGNORE).sum())


def prepare_shallow(model: PTPModel, rows: Sequence[Conversation]) -> float:
    """Makes fresh shallow slots ready for training: vocabulary from the rows' tokens, entry by least squares.
    Returns the share of variance that the entry explains."""
    slots = model.require_shallow()
    texts = [row.ids for row in rows]
    size = int(model.target_info["vocab_size"])
    slots.vocabulary.copy_(frequent_tokens(texts, slots.config.vocabulary, sorted(model.eos_tokens), size))
    return fit_entry(slots, [_entering(model, ids) for ids in texts[:_FIT_ROWS]])


@torch.no_grad()
def _entering(model: PTPModel, ids: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Of tokens 1..: embeddings, last states one row before, and what enters the first layer of shallow slots."""
    first = int(model.config.num_hidden_layers) - model.require_shallow().config.depth
    tokens = torch.tensor([list(ids)], device=model.device)
    embeddings = model.target.get_input_embeddings()(tokens)
    mask = additive(torch.ones(len(ids), len(ids), dtype=torch.bool).tril(), model.device, model.dtype)
    out = model.target.base_model(
        inputs_embeds=embeddings,
        attention_mask=mask,
        position_ids=torch.arange(len(ids), device=model.device)[None],
        use_cache=False,
        output_hidden_states=True,
    )
    return embeddings[0, 1:], out.last_hidden_state[0, :-1], out.hidden_states[first][0, 1:]
