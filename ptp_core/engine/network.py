"""The target's layers over static buffers: a call's rows in, their last hidden states and logits out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.attention import attend_shared
from ..model.kernels.products import is_llama_layout, rms_norm, rotary_turns, rotate
from ..model.layout import additive
from ..model.ptp_model import PTPModel
from .call_inputs import CallFields
from .paired_weights import PairedLayer, by_ends
from .shapes import CallShape
from .static_cache import StaticCache

Attend = Callable[[PairedLayer, Tensor, Tensor, Tensor], Tensor]  # q (R, H, D), k and v (R, G, D) -> R H D numbers


def obstacle(model: PTPModel) -> str | None:
    """Why the engine cannot run this model, as a sentence; None if it can."""
    if model.is_fast:
        return "The fast CPU kernels have taken the layers' weights: load the model with quick=False."
    if not is_llama_layout(model.target.base_model):
        return f"{model.name} is not of Llama's layout."
    if model.device.type == "mps" or len({parameter.device for parameter in model.target.parameters()}) > 1:
        return "The engine runs on one device: the CPU, or one CUDA GPU."
    return None


class Network:
    """A model's layers with paired weights, and its parts beside them. ValueError where the engine cannot run it.

    pairs=False: the target's weights alone, for calls without slots.
    """

    def __init__(self, model: PTPModel, pairs: bool = True) -> None:
        reason = obstacle(model)
        if reason:
            raise ValueError(reason)
        base, config = model.target.base_model, model.config
        self.adapter, self.u_embed, self.chain = model.adapter, model.u_embed, model.chain
        self.pairs = pairs and model.adapter is not None
        self.device, self.dtype = model.device, model.dtype
        self.heads, self.groups = int(config.num_attention_heads), int(config.num_key_value_heads)
        self.size = int(base.layers[0].self_attn.head_dim)
        self.longest, self.num_layers = model.max_context, len(base.layers)
        self._rotary, self._norm = base.rotary_emb, base.norm
        self.embed: Any = model.target.get_input_embeddings()
        head = model.target.get_output_embeddings()
        self._head = head.weight.detach().float(), None if head.bias is None else head.bias.detach().float()
        lora = by_ends(model.lora)
        with torch.no_grad():
            self._layers = [PairedLayer(layer, lora, self.pairs) for layer in base.layers]

    def new_cache(self, columns: int, reserved: int) -> StaticCache:
        sizes = len(self._layers), self.groups, self.size
        return StaticCache(sizes, columns, reserved, self.device, self.dtype)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., E) -> (..., V), float32."""
        return F.linear(hidden.float(), *self._head)

    def __call__(self, fields: CallFields, shape: CallShape, cache: StaticCache) -> Tensor:
        """Last hidden states (R, E) of a call's rows; their keys and values stand in the cache."""
        x, positions, columns = self._embedded(fields), self._positions(fields), self._columns(fields, shape)
        bias = additive(self._seen(fields, shape), x.device, x.dtype).repeat(self.heads // self.groups, 1)[None]

        def attend(layer: PairedLayer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = cache.write(layer.index, columns, k, v)
            rows, shared = len(q), self.heads // self.groups
            q = q.view(rows, self.groups, shared, -1).permute(1, 2, 0, 3)
            out = attend_shared(q.reshape(self.groups, shared * rows, -1), keys, values, bias, layer.scale)
            return out.view(self.groups, shared, rows, -1).permute(2, 0, 1, 3)

        return self._through(x, positions, 2 if shape.slots else 1, attend)

    def _through(self, x: Tensor, positions: Tensor, halves: int, attend: Attend) -> Tensor:
        """Last hidden states (R, E) from embeddings (R, E) at positions (R,), which come in equal halves, or in one."""
        rows, split = len(x), self.heads + self.groups
        cos, turn = (table[0, :, None] for table in rotary_turns(self._rotary, x[None], positions[None]))  # (R, 1, D)
        for layer in self._layers:
            heads = layer.qkv(rms_norm(x, layer.norm_in).view(halves, rows // halves, -1)).view(rows, -1, self.size)
            qk = heads[:, :split]
            if layer.q_norm is not None:
                q, k = rms_norm(qk[:, : self.heads], layer.q_norm), rms_norm(qk[:, self.heads :], layer.k_norm)
                qk = torch.cat([q, k], dim=1)
            qk = rotate(qk, cos, turn)
            mixed = attend(layer, qk[:, : self.heads], qk[:, self.heads :], heads[:, split:])
            mixed = mixed.reshape(halves, rows // halves, -1)
            x = layer.out.add_to(x.view(halves, rows // halves, -1), mixed).view(rows, -1)
            gate, up = layer.gate_up(rms_norm(x, layer.norm_mlp).view(halves, rows // halves, -1)).chunk(2, dim=-1)
            x = layer.down.add_to(x.view(halves, rows // halves, -1), F.silu(gate) * up).view(rows, -1)
        return rms_norm(x, self._norm)

    # ---- a call's rows -------------------------------------------------------------------------

    def _embedded(self, fields: CallFields) -> Tensor:
        """Input embeddings (R, E): of tokens, then of slots, as PTPModel.embed_slots makes them."""
        tokens = self.embed(fields.tokens)
        if not len(fields.slot_u):
            return tokens
        assert self.adapter is not None
        slots = self.u_embed(fields.slot_u, fields.temperature)
        own = torch.arange(len(slots), device=slots.device)
        begins = (fields.slot_starts == own)[:, None]
        if self.adapter.start_slot:
            slots = torch.where(begins, self.u_embed.start, slots.roll(1, 0))
        slots = slots.to(self.dtype)
        if self.adapter.anchor:
            anchors = self.embed(fields.anchors.clamp(min=0))
            slots = torch.where(begins, slots + anchors, slots)
        return torch.cat([tokens, slots])

    def _positions(self, fields: CallFields) -> Tensor:
        """RoPE positions (R,). Rows that only fill up stand behind the text, where none is read."""
        own = torch.arange(len(fields.tokens), device=self.device)
        return torch.cat([fields.context + own, fields.slot_positions])

    def _columns(self, fields: CallFields, shape: CallShape) -> Tensor:
        """The cache's column (R,) of each row: tokens behind the text, slots at the very end."""
        tokens = fields.context + torch.arange(shape.tokens, device=self.device)
        return torch.cat([tokens, torch.arange(shape.columns - shape.slots, shape.columns, device=self.device)])

    def _seen(self, fields: CallFields, shape: CallShape) -> Tensor:
        """Which columns (C,) each row sees, (R, C) bool: the text before it, and a slot its own branch before it."""
        columns = torch.arange(shape.columns, device=self.device)
        own = torch.arange(shape.tokens, device=self.device)
        until = torch.cat([fields.context + own + 1, fields.slot_seen])
        seen = columns < until[:, None]
        if not shape.slots:
            return seen
        first = shape.columns - shape.slots
        slots = columns[first:] - first  # (S,) of the columns that slots own
        branch = (slots >= fields.slot_starts[:, None]) & (slots <= own[:, None])
        seen[shape.tokens :, first:] = branch
        return seen
