"""Training shallow slots: the windows of distillation, drafted behind the settled token by the target's last layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.attention import KVCache
from ..model.kernels.products import side_by_side
from ..model.layout import additive
from ..model.ptp_model import PTPModel
from ..model.shallow_slots import ShallowSlots
from .conversations import Conversation
from .evaluate import Reader, right_drafts
from .losses import restricted_vocabulary, slot_loss
from .windows import IGNORE, Batch, WindowConfig, draw_windows

_FIT_ROWS = 24  # conversations that the entry's least squares read


def shallow_hidden(model: PTPModel, batch: Batch, context: KVCache, part: str = "shallow") -> Tensor:
    """Last hidden states (B, N, L - s, E) of shallow slots in place of those behind the s settled ones.

    Each slot, or the Markov head behind it, is told the text's own token before its own. part: which of the adapter's
    parts holds the slots.
    """
    slots, settled = model.require_part(part), model.require_adapter().num_settled
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
    part: str = "shallow",
) -> tuple[Tensor, int]:
    """Loss of windows of drawing.length shallow slots at random starts, and how many targets it counts.

    By total variation the softmax runs over the tokens that the slots can draft, as in decoding.
    """
    settled = model.require_adapter().num_settled
    batch, context = draw_windows(model, rows, replace(drawing, length=drawing.length + settled), generator)
    hidden = shallow_hidden(model, batch, context, part)
    vocabulary = restricted_vocabulary(batch, model.num_tokens) if restricted else None
    if loss == "total_variation":
        vocabulary = model.require_part(part).vocabulary
    found = slot_loss(model, batch, hidden, settled, loss, decay, vocabulary)
    return found, int((batch.targets[..., settled:] != IGNORE).sum())


def shallow_reader(part: str) -> Reader:
    """Reads the likeliest tokens of the shallow slots in this part. Settled slots are not asked and count as right."""

    def length(model: PTPModel) -> int:
        return model.require_part(part).config.window + model.require_adapter().num_settled

    def right(model: PTPModel, batch: Batch, context: KVCache) -> tuple[Tensor, None]:
        slots, config = model.require_part(part), model.require_adapter()
        hidden = shallow_hidden(model, batch, context, part)
        found = right_drafts(slots.logits, hidden, batch, config.num_settled, config.order, True, slots.vocabulary)
        return torch.cat([found.new_ones(*found.shape[:2], config.num_settled), found], dim=-1), None

    return Reader(length, right)


SHALLOW, PARALLEL = shallow_reader("shallow"), shallow_reader("parallel")


def prepare_shallow(model: PTPModel, rows: Sequence[Conversation], part: str = "shallow") -> float:
    """Makes fresh shallow slots ready for training: vocabulary from the rows' tokens, entry by least squares.
    Returns the share of variance that the entry explains."""
    slots = model.require_part(part)
    texts = [row.ids for row in rows]
    size = int(model.target_info["vocab_size"])
    slots.vocabulary.copy_(frequent_tokens(texts, slots.config.vocabulary, sorted(model.eos_tokens), size))
    return fit_entry(slots, [_entering(model, ids, slots.config.depth) for ids in texts[:_FIT_ROWS]])


@torch.no_grad()
def _entering(model: PTPModel, ids: Sequence[int], depth: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of tokens 1..: embeddings, last states one row before, and what enters the first of the last `depth` layers."""
    first = int(model.config.num_hidden_layers) - depth
    tokens = torch.tensor([list(ids)], device=model.device)
    embeddings = model.target.get_input_embeddings()(tokens)
    causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    mask = additive(causal, model.device, model.dtype)[None, None]
    out = model.target.base_model(
        inputs_embeds=embeddings,
        attention_mask=mask,
        position_ids=torch.arange(len(ids), device=model.device)[None],
        use_cache=False,
        output_hidden_states=True,
    )
    return embeddings[0, 1:], out.last_hidden_state[0, :-1], out.hidden_states[first][0, 1:]


_RIDGE = 1.0  # of the entry's least squares, beside some thousand rows


def frequent_tokens(texts: Sequence[Sequence[int]], count: int, always: Sequence[int], size: int) -> Tensor:
    """(count,) sorted ids: `always`, then the most frequent of the texts, then the lowest (the oldest merges)."""
    seen = torch.bincount(torch.tensor([token for text in texts for token in text]), minlength=size)
    seen[torch.tensor(list(always), dtype=torch.long)] = seen.max() + 1
    return torch.sort(seen, descending=True, stable=True).indices[:count].sort().values


@torch.no_grad()
def fit_entry(slots: ShallowSlots, pairs: Sequence[tuple[Tensor, Tensor, Tensor]]) -> float:
    """Least squares for the entry; returns the share of the variance that it explains.

    pairs: three tensors (S - 1, E) per text, for its tokens 1... They are the embeddings, the target's last states one
    row before, and the states that enter the first of the slots' layers.
    """
    rows = [side_by_side(settling, tokens).double().cpu() for tokens, settling, _ in pairs]
    x = torch.cat([F.pad(part, (0, 1), value=1.0) for part in rows])  # (R, 2 E + 1)
    y = torch.cat([entering.double().cpu() for _, _, entering in pairs])
    weights = torch.linalg.solve(x.t() @ x + _RIDGE * torch.eye(x.shape[1], dtype=x.dtype), x.t() @ y)
    slots.entry.weight.copy_(weights[:-1].t())
    slots.entry.bias.copy_(weights[-1])
    return float(1 - (y - x @ weights).square().sum() / (y - y.mean(0)).square().sum())
