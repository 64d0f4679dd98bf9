"""Drafting with shallow slots, with everything merged beforehand that can be merged.

    E hidden size    D head size    G key/value heads    J query heads to each    K rows that a slot sees

Deltas and norms' weights go into the products. On the CPU, products are kept in eight bits where torch has a kernel for
that. A draft is one row, so its time goes into reading weights. Rounding may change a draft; the target checks every
draft anyway. docs/log.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import KVCache
from .products import Weights, normed, product, rotate, side_by_side, unit, units


class _PackedLayer:
    def __init__(self, layer: Any, products: Mapping[str, Weights], dtype: torch.dtype) -> None:
        self.index, self.scale, self.q_norm, self.k_norm = layer.index, layer.scale, layer.q_norm, layer.k_norm
        self.eps = (layer.norm_in.variance_epsilon, layer.norm_mlp.variance_epsilon)
        self.qkv = product(products["qkv"], dtype, layer.norm_in.weight)
        self.out = product(products["out"], dtype)
        self.gate_up = product(products["gate_up"], dtype, layer.norm_mlp.weight)
        self.down = product(products["down"], dtype)


class PackedShallow:
    """A snapshot of shallow slots for drafting; later changes to their weights do not reach it.

    vocabulary (W,): the tokens that can be drafted; entry: the linear map (E, 2 E) into the layers;
    sizes: query heads, key/value heads, head size.
    """

    @torch.no_grad()
    def __init__(
        self,
        vocabulary: Tensor,
        entry: nn.Linear,
        sizes: tuple[int, int, int],
        layers: Sequence[Any],
        products: Sequence[Mapping[str, Weights]],
        norm: Any,
        head: Any,
    ) -> None:
        self.dtype: torch.dtype = head.weight.dtype
        if head.weight.device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
            self.dtype = torch.bfloat16
        self.layers = [_PackedLayer(*pair, self.dtype) for pair in zip(layers, products, strict=True)]
        chosen = vocabulary.to(head.weight.device)
        bias = None if head.bias is None else head.bias[chosen]
        self.eps = norm.variance_epsilon
        self.output = product((head.weight[chosen].float(), bias), self.dtype, norm.weight)
        self.settled, self.token = entry.weight.detach().clone().chunk(2, dim=1)  # the entry's halves
        self.bias = entry.bias.detach().clone()
        self.heads, self.groups, self.size = sizes


def through(packed: PackedShallow, layer: _PackedLayer, x: Tensor, cos: Tensor, turn: Tensor, cache: KVCache) -> Tensor:
    """x (R, E), float32, through a layer, each row behind those before it; their keys and values are cached.

    cos, turn: rotary tables (R, 1, D), or (1, D) for a single row.
    """
    dtype, rows = packed.dtype, len(x)
    heads = layer.qkv(units(x, layer.eps[0]).to(dtype)).float().view(rows, -1, packed.size)  # (R, J G + 2 G, D)
    split = packed.heads + packed.groups
    qk = heads[:, :split]
    if layer.q_norm is not None:
        qk = torch.cat([normed(qk[:, : packed.heads], layer.q_norm), normed(qk[:, packed.heads :], layer.k_norm)], 1)
    qk = rotate(qk, cos, turn)
    key, value = (part.transpose(0, 1)[None] for part in (qk[:, packed.heads :], heads[:, split:]))
    keys, values = cache.update(key, value, layer.index)  # (1, G, K, D)
    query = qk[:, : packed.heads].unflatten(1, (packed.groups, -1)).permute(1, 2, 0, 3)  # (G, J, R, D)
    shape = query.shape
    weights = torch.bmm(query.flatten(1, 2).to(keys.dtype), keys[0].transpose(1, 2)).mul_(layer.scale)  # (G, J R, K)
    if rows > 1:
        ahead = torch.ones(rows, rows, dtype=torch.bool, device=x.device).triu(1)
        weights.view(*shape[:3], -1)[..., -rows:].masked_fill_(ahead, -torch.inf)
    mixed = torch.bmm(weights.softmax(-1), values[0]).view(shape).permute(2, 0, 1, 3).reshape(rows, -1)
    x = x + layer.out(mixed.to(dtype))
    gate, up = layer.gate_up(units(x, layer.eps[1]).to(dtype)).chunk(2, dim=-1)
    return x + layer.down(F.silu(gate) * up)


class Drafting:
    """One window of shallow slots, slot by slot. Their keys lie in the run's cache behind its text, where the next
    call's rows overwrite them.

    noise (N, E), what the slots' u's add; turns: rotary tables (1, N, D) of their positions.
    """

    def __init__(
        self,
        packed: PackedShallow,
        embed: nn.Embedding,
        settling: Tensor,
        noise: Tensor,
        turns: tuple[Tensor, Tensor],
        cache: KVCache,
    ) -> None:
        self._packed, self._embed, self._cache = packed, embed, cache
        self._turns = tuple(part[0, :, None] for part in turns)
        self._begin = F.linear(side_by_side(settling[None]), packed.settled, packed.bias) + noise
        self._length = 0

    def next(self, token: int) -> Tensor:
        """Logits (1, W), float32, of the token behind `token`."""
        packed, cache, start, k = self._packed, self._cache, self._cache.length, self._length
        tokens = torch.tensor([token], device=self._embed.weight.device)
        x = self._begin[k : k + 1] + F.linear(side_by_side(self._embed(tokens)), packed.token)
        cos, turn = (part[k] for part in self._turns)
        cache.length = start + k
        try:
            for layer in packed.layers:
                x = through(packed, layer, x, cos, turn, cache)
        finally:
            cache.length = start
        self._length += 1
        return packed.output(unit(x, packed.eps).to(packed.dtype)).float()
