"""Layers of Llama's layout in as few CPU kernels as possible. Inference only, one sequence at a time.

transformers' layers spend two thirds of a one-token call outside the fastest product of this processor. Here q, k and v
share one product; gate and up share another. Weights are prepacked for oneDNN. The low-rank deltas of u-slots are added
in place. Formulas and weights are those of the transformers class; load_model compares the logits of both. docs/log.md
has the gains.

    T rows of the call    E hidden size    H query heads    G key/value heads    D head size
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import KVCache, attend_grouped
from ..config import LoraConfig
from ..gated_lora import GatedLoraLinear, joined
from .products import PRODUCTS, JoinedLayer, PackedLinear, rms_norm, rotary_turns, rotate


class _Pair(NamedTuple):
    """The low-rank delta of one layer, as GatedLoraLinear holds it."""

    lora_A: Tensor
    lora_B: Tensor
    scale: float


class _Delta:
    """The low-rank deltas of layers that share one input and write side by side into one output.

    widths: of their outputs. A layer without a delta is None; one has one.
    """

    def __init__(self, layers: Sequence[GatedLoraLinear | _Pair | None], widths: Sequence[int]) -> None:
        there = [layer for layer in layers if layer is not None]
        self._a = torch.cat([layer.lora_A for layer in there]).detach().t().contiguous()  # (in, sum of r)
        self._parts = []
        column = rank = 0
        for layer, width in zip(layers, widths, strict=True):
            if layer is not None:
                b = (layer.lora_B * layer.scale).detach().t().contiguous()  # (r, out)
                self._parts.append((rank, rank + b.shape[0], column, column + width, b))
                rank += b.shape[0]
            column += width

    def add_to(self, y: Tensor, x: Tensor) -> None:
        """y (S, sum of out) += B A x for the slot rows x (S, in), in place."""
        low = x @ self._a
        for r0, r1, c0, c1, b in self._parts:
            y[:, c0:c1].addmm_(low[:, r0:r1], b)


class _PackedLinears:
    """Linear layers of one input as one product, with the deltas of those that carry one."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self._base = PackedLinear(*joined(layers))
        self._widths = [int(layer.out_features) for layer in layers]
        self._delta = self._joined([layer if isinstance(layer, GatedLoraLinear) else None for layer in layers])

    def _joined(self, layers: Sequence[GatedLoraLinear | _Pair | None]) -> _Delta | None:
        return _Delta(layers, self._widths) if any(layer is not None for layer in layers) else None

    def with_deltas(self, pairs: Sequence[_Pair | None]) -> _PackedLinears:
        """The same product with other deltas."""
        twin = copy.copy(self)
        twin._delta = self._joined(pairs)
        return twin

    def __call__(self, x: Tensor, first_slot: int | None, residual: Tensor | None = None) -> Tensor:
        y = self._base(x) if residual is None else self._base.add_to(residual, x)
        if first_slot is not None and self._delta is not None:
            self._delta.add_to(y[first_slot:], x[first_slot:])
        return y


class FastLlama:
    """The layers of a Llama-like transformers model on the CPU; see the module's text.

    It takes the weights it packs out of the target, which keeps its embeddings, norms and head.
    """

    def __init__(self, base_model: Any) -> None:
        config = base_model.config
        self._heads, self._groups = config.num_attention_heads, config.num_key_value_heads
        self._size = base_model.layers[0].self_attn.head_dim
        self._rotary, self._norm = base_model.rotary_emb, base_model.norm
        self._layers = [JoinedLayer(layer, _PackedLinears) for layer in base_model.layers]
        base_model.layers = nn.ModuleList()

    def with_deltas(
        self, lora: Mapping[str, tuple[Tensor, Tensor]], config: LoraConfig, dtype: torch.dtype
    ) -> FastLlama:
        """The same packed layers with other low-rank deltas: lora maps 'layer name' -> A (r, in), B (out, r)."""
        twin = copy.copy(self)
        ends = {  # by 12.self_attn.q_proj
            ".".join(name.split(".")[-3:]): _Pair(a.to(dtype), b.to(dtype), config.scale_of(name))
            for name, (a, b) in lora.items()
        }
        twin._layers = []
        for layer in self._layers:
            fresh = copy.copy(layer)
            for attribute, names in PRODUCTS.items():
                pairs = [ends.get(f"{layer.index}.{name}") for name in names]
                setattr(fresh, attribute, getattr(layer, attribute).with_deltas(pairs))
            twin._layers.append(fresh)
        return twin

    def __call__(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, cache: KVCache | None, first_slot: int | None
    ) -> Tensor:
        """embeddings (T, E), positions (T,), mask additive (1, 1, T, K) -> last hidden states (T, E)."""
        x = embeddings
        cos, turn = (table[0, :, None] for table in rotary_turns(self._rotary, x[None], positions[None]))  # (T, 1, D)
        for layer in self._layers:
            h = rms_norm(x, layer.norm_in)
            mixed = self._attend(layer, layer.qkv(h, first_slot), cos, turn, mask, cache)
            x = layer.out(mixed, first_slot, residual=x)
            gate, up = layer.gate_up(rms_norm(x, layer.norm_mlp), first_slot).chunk(2, dim=-1)
            x = layer.down(F.silu(gate) * up, first_slot, residual=x)
        return rms_norm(x, self._norm)

    def _attend(
        self, layer: JoinedLayer, qkv: Tensor, cos: Tensor, turn: Tensor, mask: Tensor, cache: KVCache | None
    ) -> Tensor:
        """qkv (T, (H + 2 G) D) -> (T, H D): rotary, cache, attention."""
        rows, split = len(qkv), self._heads + self._groups
        heads = qkv.view(rows, split + self._groups, self._size)
        qk = heads[:, :split]
        if layer.q_norm is not None:
            q, k = rms_norm(qk[:, : self._heads], layer.q_norm), rms_norm(qk[:, self._heads :], layer.k_norm)
            qk = torch.cat([q, k], dim=1)
        qk = rotate(qk, cos, turn)  # (T, H + G, D)
        key, value = qk[:, self._heads :].transpose(0, 1)[None], heads[:, split:].transpose(0, 1)[None]
        if cache is not None:
            key, value = cache.update(key, value, layer.index)
        out = attend_grouped(qk[:, : self._heads].transpose(0, 1)[None], key, value, mask, layer.scale)
        return out[0].transpose(0, 1).reshape(rows, -1)
