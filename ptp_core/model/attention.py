"""Attention over a cropped KV cache, plugged into transformers' model classes.

B batch    H query heads    G key/value heads, each serving H/G query heads
T new rows of the call      K all rows so far, the new ones included      D head size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "ptp"
_LONG, _MANY_ROWS = 64, 384  # rows of a sequence, and of all together, from which the tiled kernel is faster
_MANY = 8  # texts with one new row each, from which it is faster in bfloat16 on the CPU


class KVCache:
    """Keys and values of one run, preallocated; rewinding is setting `length`.

    Implements the two methods that transformers' layers call on a cache. `update` writes the new
    rows behind the first `length` ones and returns views; they count only after `keep`.
    """

    def __init__(self, num_layers: int, max_rows: int) -> None:
        self.max_rows = max_rows
        self.length = 0
        self._keys: list[Tensor | None] = [None] * num_layers
        self._values: list[Tensor | None] = [None] * num_layers

    def update(self, key: Tensor, value: Tensor, layer: int, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """key, value (B, G, T, D) -> views (B, G, length + T, D) of the buffers."""
        end = self.length + key.shape[2]
        if end > self.max_rows:
            raise ValueError(f"The KV cache holds {self.max_rows} rows, {end} are needed.")
        keys, values = self._keys[layer], self._values[layer]
        if keys is None or values is None:
            batch, heads, _, size = key.shape
            keys = key.new_empty(batch, heads, self.max_rows, size)
            values = value.new_empty(batch, heads, self.max_rows, value.shape[-1])
            self._keys[layer], self._values[layer] = keys, values
        keys[:, :, self.length : end] = key
        values[:, :, self.length : end] = value
        return keys[:, :, :end], values[:, :, :end]

    def get_seq_length(self, layer: int = 0) -> int:
        return self.length

    def layer(self, index: int) -> tuple[Tensor, Tensor]:
        """Keys and values (B, G, length, D) of one layer."""
        keys, values = self._keys[index], self._values[index]
        assert keys is not None and values is not None, "nothing was cached yet"
        return keys[:, :, : self.length], values[:, :, : self.length]

    @torch.inference_mode()  # what is written to may have been made so
    def copy_from(self, other: KVCache, length: int) -> None:
        """Begins with the first `length` rows of another cache, which stays as it is."""
        for i in range(len(self._keys) if length else 0):
            keys, values = other.layer(i)
            self.update(keys[:, :, :length], values[:, :, :length], i)
        self.length = length

    def select(self, rows: Tensor) -> None:
        """Keeps only these sequences of the batch."""
        self._keys = [None if k is None else k[rows] for k in self._keys]
        self._values = [None if v is None else v[rows] for v in self._values]

    def stack(self, parts: Sequence[KVCache], length: int) -> None:
        """Becomes the first `length` rows of caches of other sequences, one below the other. They lose theirs."""
        for i in range(len(self._keys)):
            keys, values = zip(*(part.layer(i) for part in parts), strict=True)
            self.update(torch.cat([k[:, :, :length] for k in keys]), torch.cat([v[:, :, :length] for v in values]), i)
            for part in parts:
                part._keys[i] = part._values[i] = None
        self.length = length

    def keep(self, length: int) -> None:
        """Crops to (or accepts up to) the first `length` rows."""
        self.length = length


@dataclass(frozen=True)
class Windows:
    """For training: rows are windows of `length` slots each, over a finished context of real rows.

    Stands in for a cache in transformers' layers and leaves the windows' own keys where they are.
    """

    context: KVCache
    length: int

    def update(self, key: Tensor, value: Tensor, layer: int, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return key, value

    def get_seq_length(self, layer: int = 0) -> int:
        return self.context.length


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Grouped-query attention: query (B, H, T, D), key and value (B, G, K, D) -> (B, T, H, D).

    attention_mask is additive, (1, 1, T, K); it is always given (see masks.py).
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    windows: Windows | None = kwargs.get("windows")
    if windows is not None:
        context = windows.context.layer(module.layer_idx)  # type: ignore[arg-type]
        return attend_windows(query, key, value, *context, attention_mask, windows.length, scale).transpose(1, 2), None
    return attend_grouped(query, key, value, attention_mask, scale).transpose(1, 2), None


def attend_grouped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """(B, H, T, D) with (B, G, K, D) -> (B, H, T, D); mask (B or 1, 1, T, K), additive.

    Query heads that share keys become rows of one product, so no key is repeated. Long prompts and batches
    of them go through torch's tiled kernel, which never holds all of the weights.
    """
    if (query.shape[2] >= _LONG and len(query) * query.shape[2] >= _MANY_ROWS) or _one_row_of_many(query):
        return _tiled(query, key, value, mask, scale)
    batch, heads, rows, size = query.shape
    groups = key.shape[1]
    q = query.reshape(batch * groups, heads // groups * rows, size)
    bias = None
    if mask is not None:
        bias = mask.repeat(1, 1, heads // groups, 1)
        bias = bias[0] if len(bias) == 1 else bias.expand(-1, groups, -1, -1).flatten(0, 1)
    out = attend_shared(q, key.flatten(0, 1), value.flatten(0, 1), bias, scale)
    return out.view(batch, heads, rows, value.shape[-1])


def _one_row_of_many(query: Tensor) -> bool:
    """Whether many texts are written at once on the CPU in bfloat16.

    Products of so few rows turn the keys there. With 24 texts of 1,500 rows they take 9.9 ms, the tiled kernel 2.6.
    """
    return query.device.type == "cpu" and query.dtype == torch.bfloat16 and query.shape[2] == 1 and len(query) >= _MANY


def attend_shared(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """q (N, T, D) with N sets of keys and values (N, K, D) -> (N, T, D). bias (N or 1, T, K) is added to the scores."""
    turned = keys.transpose(1, 2)
    scores = torch.bmm(q, turned).mul_(scale) if bias is None else torch.baddbmm(bias, q, turned, alpha=scale)
    return torch.bmm(scores.softmax(-1, dtype=torch.float32).to(q.dtype), values)


def _tiled(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """attend_grouped by torch's own kernels, which hold only some of the weights at a time.

    Elsewhere than on the CPU none of them takes a mask and shared keys at once. So keys are repeated there.
    """
    if query.device.type == "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale, enable_gqa=True)
    keys, values = _repeated(query, key, value)
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scale)


def attend_causal(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """(B, H, T, D) with (B, G, T, D) -> (B, H, T, D): each row sees those up to its own, of its text alone.

    No mask is needed, so on a GPU torch has its fastest kernels for it. What fills a text up must stand behind it.
    """
    if query.device.type == "cpu":
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=True)
    keys, values = _repeated(query, key, value)
    return F.scaled_dot_product_attention(query, keys, values, is_causal=True, scale=scale)


def _repeated(query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
    """Keys and values, one of each for each query head."""
    return [part.repeat_interleave(query.shape[1] // key.shape[1], 1) for part in (key, value)]


def avoid_cudnn() -> None:
    """Switches cuDNN's attention off. It makes a plan for each shape that it meets, and every call here has another."""
    torch.backends.cuda.enable_cudnn_sdp(False)


def attend_windows(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    context_key: Tensor,
    context_value: Tensor,
    mask: Tensor | None,
    length: int,
    scale: float,
) -> Tensor:
    """Windows of L = length slots: each sees the context that `mask` allows and, causally, its own window.

    query: (B, H, N L, D). key, value: (B, G, N L, D). context: (B, G, S, D). mask: additive, (B, 1, N L, S).
    Returns (B, H, N L, D). It equals one big masked product, without the N^2 windows.
    """
    batch, heads, rows, size = query.shape
    groups, shared, count = key.shape[1], heads // key.shape[1], rows // length
    q = query.reshape(batch, groups, shared * rows, size)
    seen = torch.matmul(q, context_key.transpose(2, 3)).mul_(scale).view(batch, groups, shared, rows, -1)
    if mask is not None:
        seen = seen + mask[:, :, None]
    own_q = query.reshape(batch, groups, shared, count, length, size)
    own_k = key.reshape(batch, groups, 1, count, length, size)
    own_v = value.reshape(batch, groups, 1, count, length, size)
    own = torch.matmul(own_q, own_k.transpose(-1, -2)) * scale  # (B, G, H/G, N, L, L)
    later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu_(1)
    own = own.masked_fill(later, torch.finfo(own.dtype).min).reshape(batch, groups, shared, rows, length)
    weights = torch.cat([seen, own], dim=-1).softmax(-1, dtype=torch.float32).to(query.dtype)
    split = seen.shape[-1]
    out = torch.matmul(weights[..., :split].reshape(batch, groups, shared * rows, split), context_value)
    own_weights = weights[..., split:].reshape(batch, groups, shared, count, length, length)
    out = out.view(batch, groups, shared, rows, -1) + torch.matmul(own_weights, own_v).reshape(
        batch, groups, shared, rows, -1
    )
    return out.view(batch, heads, rows, -1)


AttentionInterface.register(NAME, attend)
