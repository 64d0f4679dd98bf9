"""Keys and values of a run in columns that stay where they are, so that a graph can write and read them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.attention import KVCache


class StaticCache(KVCache):
    """A KVCache with all its memory from the start.

    The last `reserved` columns take no text: rows of a call stand there that are not, or not yet, part of it. No number
    in it is ever NaN or infinite, so columns that a mask hides add exactly nothing.
    """

    def __init__(
        self, sizes: tuple[int, int, int], columns: int, reserved: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        """sizes: layers, key and value heads of each, size of a head."""
        layers, groups, size = sizes
        super().__init__(layers, columns - reserved)
        self.columns = columns
        self._all = torch.zeros(2, layers, groups, columns, size, device=device, dtype=dtype)
        self._keys = [part[None] for part in self._all[0]]
        self._values = [part[None] for part in self._all[1]]

    def write(self, layer: int, columns: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Puts key and value (R, G, D) of a call's rows into their columns (R,); all (G, C, D) of that layer."""
        keys, values = self._all[0, layer], self._all[1, layer]
        keys.index_copy_(1, columns, key.transpose(0, 1))
        values.index_copy_(1, columns, value.transpose(0, 1))
        return keys, values
