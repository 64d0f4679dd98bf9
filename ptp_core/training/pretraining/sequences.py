"""Pieces of the texts: what a step reads, and what is held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..conversations import Conversation
from .processes import Crew

_LONGEST_OPENING = 96


class Sequences:
    """Pieces of a row of tokens, `length` + 1 each, without repeats: a new order in every round."""

    def __init__(self, tokens: Any, batch: int, length: int, seed: int) -> None:
        self._tokens, self._batch, self._length, self._seed = tokens, batch, length, seed
        self._places = (len(tokens) - 1) // length
        self._round, self._order = -1, torch.empty(0)

    def at(self, step: int, crew: Crew) -> Tensor:
        """(batch, length + 1) tokens of this step and process."""
        first = (step * crew.size + crew.rank) * self._batch
        rows = []
        for i in range(first, first + self._batch):
            if i // self._places != self._round:
                self._round = i // self._places
                order = torch.Generator().manual_seed(self._seed + self._round)
                self._order = torch.randperm(self._places, generator=order)
            rows.append(_piece(self._tokens, int(self._order[i % self._places]) * self._length, self._length))
        return torch.from_numpy(np.stack(rows))


def held_out_sequences(tokens: Any, length: int, most: int = 192) -> Tensor:
    """At most `most` pieces (R, length + 1), spread evenly over the held-out row."""
    count = min((len(tokens) - 1) // length, most)
    step = (len(tokens) - 1) // count
    return torch.from_numpy(np.stack([_piece(tokens, i * step, length) for i in range(count)]))


def openings(tokens: Any, end: int = 0, count: int = 1000) -> list[Conversation]:
    """At most `count` beginnings of 16 to 95 tokens to calibrate on, spread evenly over the held-out row.

    Pieces that hold the token `end`, at which one text ends and the next begins, are left out.
    """
    step = max((len(tokens) - _LONGEST_OPENING) // count, 1)
    starts = range(0, len(tokens) - _LONGEST_OPENING, step)
    pieces = [_piece(tokens, start, 15 + 7 * i % 80).tolist() for i, start in enumerate(starts[:count])]
    return [Conversation(piece, len(piece), "code") for piece in pieces if end not in piece]


def _piece(tokens: Any, start: int, length: int) -> Any:
    return np.asarray(tokens[start : start + length + 1], dtype=np.int64)
