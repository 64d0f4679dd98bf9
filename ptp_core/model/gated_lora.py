"""Gated LoRA: a low-rank delta that acts at u-slots only.

Rows of a call are laid out as [real tokens | u-slots]. Real rows go through the frozen target's
layer and nothing else; the delta is added to the slot rows. So one forward pass verifies as the
target and drafts as the student, on one KV cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import LoraConfig


class Gate:
    """Where the u-slots of the running call begin; None while no call runs or it has no slots."""

    def __init__(self) -> None:
        self.first_slot: int | None = None


class GatedLoraLinear(nn.Module):
    """base(x) for every row, plus scale B A x for the rows from gate.first_slot on.

    x is (..., T, in), the result (..., T, out). lora_A (r, in), lora_B (out, r).
    """

    def __init__(self, base: nn.Module, rank: int, scale: float, gate: Gate) -> None:
        super().__init__()
        in_features, out_features = int(base.in_features), int(base.out_features)  # type: ignore[arg-type]
        self.base = base
        self.in_features, self.out_features = in_features, out_features
        self.lora_A = nn.Parameter(torch.empty(rank, in_features))
        self.lora_B = nn.Parameter(torch.zeros(out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
        self.scale = scale
        self._gate = gate

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        first = self._gate.first_slot
        if first is None:
            return y
        low = F.linear(x[..., first:, :], self.lora_A.to(x.dtype))  # (..., S, r)
        delta = F.linear(low, (self.lora_B * self.scale).to(x.dtype))
        if first == 0:
            return y + delta
        y[..., first:, :] += delta
        return y


def layers_to_adapt(model: nn.Module, config: LoraConfig) -> dict[str, Any]:
    """The model's linear layers that carry a delta, by full name. ValueError where there is none."""
    found = {
        name: part for name, part in model.named_modules() if hasattr(part, "in_features") and config.carries(name)
    }
    if not found:
        shown = ", ".join([*config.target_modules[:7], *(["..."] if len(config.target_modules) > 7 else [])])
        raise ValueError(f"The model has no linear layer named {shown or '(no name given)'}.")
    return found


def add_gated_lora(model: nn.Module, config: LoraConfig, gate: Gate) -> dict[str, GatedLoraLinear]:
    """Wraps every layer that carries a delta; returns them by full name. ValueError where there is none."""
    wrapped = {}
    for name, module in layers_to_adapt(model, config).items():
        parent, _, leaf = name.rpartition(".")
        wrapped[name] = GatedLoraLinear(module, config.rank_of(name), config.scale_of(name), gate)
        setattr(model.get_submodule(parent), leaf, wrapped[name])
    return wrapped


def frozen_layers(layers: Sequence[Any]) -> list[Any]:
    """The linear layers themselves, without the deltas, of one adapter or more, that some of them carry."""
    return [frozen_layers([layer.base])[0] if isinstance(layer, GatedLoraLinear) else layer for layer in layers]


def joined(layers: Sequence[Any]) -> tuple[Tensor, Tensor | None]:
    """Weight (sum of out, in) and bias of frozen layers with one input as one product; a single layer's is its own."""
    bases = frozen_layers(layers)
    weight = bases[0].weight if len(bases) == 1 else torch.cat([b.weight for b in bases])
    if all(b.bias is None for b in bases):
        return weight.detach(), None
    biases = [b.bias if b.bias is not None else b.weight.new_zeros(len(b.weight)) for b in bases]
    return weight.detach(), torch.cat(biases).detach()
