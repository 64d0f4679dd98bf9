"""How fast training is, and how fast its matrix products alone would let it be.

    python -m ptp_core train-speed --data DATA

The bound is measured, not computed: the linear layers of the same steps, forwards and backwards with
respect to activations (their weights are frozen), at the same row counts, with nothing in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from .data import Conversation
from .distill import (
    IGNORE,
    default_loss,
    distillation_loss,
    draw_windows,
    restricted_vocabulary,
    window_hidden,
)
from .gated_lora import GatedLoraLinear
from .model import PTPModel
from .train import Distiller


@dataclass(frozen=True)
class TrainSpeed:
    """Targets per second of whole steps and of their products; seconds of each part of a step (medians)."""

    targets_per_second: float
    bound: float
    teacher: float
    forward: float
    backward: float


def measure_train_speed(distiller: Distiller, rows: Sequence[Conversation], seed: int = 0) -> TrainSpeed:
    """Takes one distillation step per conversation (the first is a warm-up); medians over the rest.

    Raises ValueError with fewer than two conversations.
    """
    if len(rows) < 2:
        raise ValueError("Two conversations at least are needed: the first only warms up.")
    model, config = distiller.model, distiller.config
    kind = config.loss or default_loss(config.variant)
    parts, steps, products, targets = [], [], [], []
    for i, row in enumerate(rows):
        generator = torch.Generator().manual_seed(seed + i)
        marks = [time.perf_counter()]
        batch, context = draw_windows(model, [row], config.windows, generator)
        marks.append(time.perf_counter())
        hidden = window_hidden(model, batch, context)
        vocabulary = restricted_vocabulary(batch)
        loss = distillation_loss(model, batch, hidden, kind, config.decay, vocabulary)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        if i:
            parts.append([b - a for a, b in pairwise(marks)])
            steps.append(marks[-1] - marks[0])
            targets.append(int((batch.targets != IGNORE).sum()))
            products.append(_time_products(model, len(row.ids), batch.u.numel(), len(vocabulary)))
    teacher, forward, backward = (median(column) for column in zip(*parts, strict=True))
    return TrainSpeed(sum(targets) / sum(steps), sum(targets) / sum(products), teacher, forward, backward)


def _time_products(model: PTPModel, real: int, slots: int, vocabulary: int) -> float:
    """Seconds of the products of one step: real rows forwards, slots forwards and back, the small head likewise."""
    kind = model.dtype
    head = model.target.get_output_embeddings().weight[:vocabulary].to(kind)
    states, gradients = torch.ones(slots, head.shape[1], dtype=kind), torch.ones(slots, vocabulary, dtype=kind)
    seconds = _time(lambda: F.linear(states, head)) + _time(lambda: gradients @ head)
    shapes: dict[tuple[int, ...], tuple[int, Tensor]] = {}
    for layer in model.lora.values():
        assert isinstance(layer, GatedLoraLinear)
        weight: Tensor = layer.base.weight  # type: ignore[assignment]
        shapes[tuple(weight.shape)] = (shapes.get(tuple(weight.shape), (0, weight))[0] + 1, weight)
    for (out, into), (count, weight) in shapes.items():
        for rows in (real, slots):
            x = torch.ones(rows, into, dtype=kind)
            seconds += count * _time(lambda x=x, w=weight: F.linear(x, w))  # type: ignore[misc]
        g = torch.ones(slots, out, dtype=kind)
        seconds += count * _time(lambda g=g, w=weight: g @ w)  # type: ignore[misc]
    return seconds


def _time(product: Callable[[], Tensor]) -> float:
    """Seconds of one product, the best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        product()
        times.append(time.perf_counter() - start)
    return min(times)
