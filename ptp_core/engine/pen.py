"""A model's pen: its layers for many texts, the memory of their keys and values, and the seats that share it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import torch

from ..model.ptp_model import PTPModel
from .graphs import Capture, cuda_graph
from .many_texts import ManyTexts, TextsCache
from .seats import Report, Rules, Seats, SeatsShape, Text

_MOST_KEPT = 12  # kinds of seats, with their graphs


class Pen:
    """Continues many texts at once. It serves one caller at a time. ValueError where the engine cannot run the model.

    capture: how steps are captured and replayed; by default graphs of one pool on CUDA. None elsewhere: steps run.
    """

    def __init__(self, model: PTPModel, capture: Capture | None = None) -> None:
        if capture is None and model.device.type == "cuda":
            capture = partial(cuda_graph, pool=torch.cuda.graph_pool_handle())  # one step runs at a time
        self._network, self._capture = ManyTexts(model, pairs=False), capture
        self._memory: TextsCache | None = None
        self._kept: OrderedDict[tuple[SeatsShape, Rules], Seats] = OrderedDict()

    def write(
        self, texts: Sequence[Text], rules: Rules, columns: int, most: int, report: Report | None = None
    ) -> list[list[int]]:
        """The continuations of texts that end within so many columns, at most `most` at once."""
        seats = min(_power(len(texts)), _power(most + 1) // 2)
        shape = SeatsShape(seats, columns, _power(max(text.limit for text in texts)))
        return self._seats(shape, rules).continue_all(texts, report)

    def _seats(self, shape: SeatsShape, rules: Rules) -> Seats:
        cells = shape.seats * shape.columns
        if self._memory is None or self._memory.cells < cells:
            self._kept.clear()  # graphs hold the old memory
            self._memory = None
            self._memory = TextsCache(self._network, cells)
        key = shape, rules
        if key not in self._kept:
            self._kept[key] = Seats(self._network, shape, rules, self._memory, self._capture)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _power(count: int) -> int:
    """The smallest power of two that is not below count."""
    return 1 << (count - 1).bit_length()
