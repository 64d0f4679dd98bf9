"""Pairs of weights: the target's, and the same with the adapter's delta in it.

A call's rows come in two halves, tokens and slots. One batched product serves both, each with its own weights. So no
row of the target ever meets a delta, and the rank of the delta costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..model.gated_lora import GatedLoraLinear, joined
from ..model.kernels.products import PRODUCTS, LlamaLayer


class PairedLinear:
    """x (P, H, in) -> (P, H, out), with one weight for each of the P halves: 1, the target's, or 2.

    Only as many halves as x has take part.
    """

    def __init__(self, layers: Sequence[Any], deltas: Sequence[GatedLoraLinear | None], pairs: bool) -> None:
        weight, bias = joined(layers)
        self._weight = weight.t()[None]  # (P, in, out); without a pair the target's own memory
        if pairs:
            parts = [_delta(layer, delta) for layer, delta in zip(layers, deltas, strict=True)]
            told = (weight.float() + torch.cat(parts)).to(weight.dtype)
            self._weight = torch.stack([weight.t(), told.t()]).contiguous()
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        weight = self._weight[: len(x)]
        if self._bias is None:
            return torch.bmm(x, weight)
        return torch.baddbmm(self._bias.expand(len(x), x.shape[1], -1), x, weight)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """residual (P, H, out) + the product."""
        out = torch.baddbmm(residual, x, self._weight[: len(x)])
        return out if self._bias is None else out + self._bias


def _delta(layer: Any, delta: GatedLoraLinear | None) -> Tensor:
    """What the adapter adds to a layer's weight, (out, in) float32; zeros where it adds nothing."""
    if delta is None:
        return torch.zeros(layer.out_features, layer.in_features, device=_device(layer))
    return (delta.lora_B.float() @ delta.lora_A.float()) * delta.scale


def _device(layer: Any) -> torch.device:
    return joined([layer])[0].device


class PairedLayer(LlamaLayer):
    """One layer with its four products as pairs."""

    def __init__(self, layer: Any, lora: Mapping[str, GatedLoraLinear], pairs: bool) -> None:
        """lora: the adapter's layers by the ends of their names, such as 12.self_attn.q_proj."""
        super().__init__(layer)
        made = {}
        for name, places in PRODUCTS.items():
            deltas = [lora.get(f"{self.index}.{place}") for place in places]
            made[name] = PairedLinear([layer.get_submodule(place) for place in places], deltas, pairs)
        self.qkv, self.out, self.gate_up, self.down = (made[name] for name in PRODUCTS)


def by_ends(lora: Mapping[str, GatedLoraLinear] | None) -> dict[str, GatedLoraLinear]:
    """An adapter's layers by the last three parts of their names."""
    return {".".join(name.split(".")[-3:]): layer for name, layer in (lora or {}).items()}
