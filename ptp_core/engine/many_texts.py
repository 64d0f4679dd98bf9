"""The target's layers for many texts at once, and where their keys and values lie.

N texts    M of them whose prompts are read    T tokens of a prompt, filled up    C columns of each text
E hidden size    H query heads, G key and value heads, D size of a head
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.attention import attend_causal, attend_shared
from ..model.layout import additive
from .network import Network
from .paired_weights import PairedLayer

_STEP = 64  # prompts are filled up to widths in steps of so many tokens


def columns_of_texts(length: int) -> int:
    """The columns of texts of at most so many tokens: few sizes, 128, 192, 256, 384, 512, 768, ..."""
    columns = 2 * _STEP
    while columns < length:
        if columns * 3 // 2 >= length:
            return columns * 3 // 2
        columns *= 2
    return columns


def read_width(length: int) -> int:
    """How wide prompts of at most so many tokens are read."""
    return max(-(-length // _STEP), 1) * _STEP


class TextsCache:
    """Memory for keys and values of many texts, in `cells` tokens; shapes take turns in it."""

    def __init__(self, network: Network, cells: int) -> None:
        self.cells, self._sizes = cells, (network.groups, network.size)
        numbers = cells * network.groups * network.size
        self._flat = torch.zeros(network.num_layers, 2, numbers, device=network.device, dtype=network.dtype)

    def shaped(self, texts: int, columns: int) -> Tensor:
        """All of it as (layers, 2, N, G, C, D): keys, then values. No number in it is ever NaN or infinite."""
        groups, size = self._sizes
        return self._flat[..., : texts * columns * groups * size].unflatten(-1, (texts, groups, columns, size))


class ManyTexts(Network):
    """Calls with one new token for each of many texts, and calls that read prompts. No slots."""

    def next(self, tokens: Tensor, lengths: Tensor, cache: Tensor) -> Tensor:
        """Last hidden states (N, E) of one token (N,) behind the lengths (N,) of the texts; cache as TextsCache's."""
        texts, columns = len(tokens), cache.shape[-2]
        seen = torch.arange(columns, device=self.device) <= lengths[:, None]
        bias = additive(seen, self.device, self.dtype)[:, None].expand(-1, self.groups, -1).reshape(-1, 1, columns)
        rows = torch.arange(texts, device=self.device)

        def attend(layer: PairedLayer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = cache[layer.index]
            keys[rows, :, lengths] = k
            values[rows, :, lengths] = v
            shared = q.reshape(texts * self.groups, -1, self.size)
            return attend_shared(shared, keys.flatten(0, 1), values.flatten(0, 1), bias, layer.scale)

        return self._through(self.embed(tokens), lengths, 1, attend)

    def read(self, tokens: Tensor, places: Tensor, cache: Tensor) -> None:
        """Puts keys and values of tokens (M, T), the first of their texts, where those of the texts `places` (M,) lie.

        What fills a prompt up is read, too: it stands behind the prompt, where new tokens take its columns.
        """
        texts, width = tokens.shape
        positions = torch.arange(width, device=self.device).repeat(texts)

        def attend(layer: PairedLayer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            query, key, value = (part.unflatten(0, (texts, width)).transpose(1, 2) for part in (q, k, v))
            for kept, new in zip(cache[layer.index], (key, value), strict=True):
                kept[:, :, :width].index_copy_(0, places, new)
            return attend_causal(query, key, value, layer.scale).transpose(1, 2)

        self._through(self.embed(tokens.flatten()), positions, 1, attend)
