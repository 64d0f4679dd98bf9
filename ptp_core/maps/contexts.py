"""Contexts that are read more than once: their KV caches, kept for the next question about the same text."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..model.attention import KVCache
from ..model.layout import call_layout
from ..model.ptp_model import PTPModel

_CAPACITY = 4
_ROWS_PER_CALL = 512  # a long context goes in by pieces, so that the attention's scores stay small


class Contexts:
    """The caches of the last few contexts of one model. Whoever takes one copies what it needs."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._entries: list[tuple[list[int], KVCache]] = []  # oldest first
        self._capacity = capacity
        self.calls = 0  # model calls made to fill caches so far

    def longest(self, tokens: Sequence[int]) -> tuple[KVCache | None, int]:
        """The kept cache that shares the longest beginning with `tokens`, and that beginning's length."""
        best: tuple[KVCache | None, int] = (None, 0)
        for known, cache in self._entries:
            shared = common_prefix(known, tokens)
            if shared > best[1]:
                best = (cache, shared)
        return best

    @torch.inference_mode()
    def filled(self, model: PTPModel, tokens: Sequence[int]) -> tuple[KVCache | None, int]:
        """A cache whose first len(tokens) rows hold `tokens`; computes and keeps what is missing."""
        cache, shared = self.longest(tokens)
        if shared == len(tokens):
            return cache, shared
        fresh = model.new_cache(len(tokens))
        if cache is not None:
            fresh.copy_from(cache, shared)
        while fresh.length < len(tokens):
            piece = list(tokens[fresh.length : fresh.length + _ROWS_PER_CALL])
            layout = call_layout(fresh.length, len(piece), 0)
            model(torch.tensor([piece], device=model.device), positions=layout.positions, mask=layout.mask, cache=fresh)
            fresh.keep(fresh.length + len(piece))
            self.calls += 1
        self._entries = [entry for entry in self._entries if common_prefix(entry[0], tokens) < len(entry[0])]
        self._entries.append((list(tokens), fresh))
        del self._entries[: -self._capacity]
        return fresh, len(tokens)


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two lists share at their beginning."""
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return min(len(a), len(b))
