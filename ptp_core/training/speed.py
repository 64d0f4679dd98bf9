"""How fast training is, and how fast its matrix products alone would let it be.

    python -m ptp_core train-speed --data DATA

The bound is measured, not computed. After each step, the matrix products that it needed run once more with nothing in
between. Layers that read the same input are one product. The products are:

    frozen layers      forwards for real rows; forwards and the gradient of the input for slots; no gradient of a weight
    low-rank deltas    with all their gradients
    attention          over the context: queries by keys, weights by values, and for slots their gradients
    output layers      the teacher's in float32, and the small one of the loss

A chain head's products are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.gated_lora import GatedLoraLinear
from ..model.ptp_model import PTPModel
from .conversations import Conversation
from .losses import default_loss, distillation_loss, restricted_vocabulary
from .objectives import Distiller
from .windows import IGNORE, draw_windows, window_hidden

_SAME_INPUT = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"})


@dataclass(frozen=True)
class TrainSpeed:
    """Targets per second of whole steps and of their products; seconds of each part of a step (medians).

    A step and its own products run one after the other. The median of their ratios gives the second figure.
    """

    targets_per_second: float
    bound: float
    teacher: float
    forward: float
    backward: float


def measure_train_speed(distiller: Distiller, rows: Sequence[Conversation], seed: int = 0) -> TrainSpeed:
    """Takes one distillation step per conversation (the first is a warm-up).

    Raises ValueError with fewer than two conversations.
    """
    if len(rows) < 2:
        raise ValueError("Two conversations at least are needed: the first only warms up.")
    model, config = distiller.model, distiller.config
    kind = config.loss or default_loss(config.variant)
    joined = _join(model)
    parts, steps, targets, ratios = [], [], [], []
    for i, row in enumerate(rows):
        generator = torch.Generator().manual_seed(seed + i)
        marks = [time.perf_counter()]
        batch, context = draw_windows(model, [row], config.windows, generator)
        marks.append(time.perf_counter())
        hidden = window_hidden(model, batch, context)
        vocabulary = restricted_vocabulary(batch, model.num_tokens)
        loss = distillation_loss(model, batch, hidden, kind, config.decay, vocabulary)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        if i:
            parts.append([b - a for a, b in pairwise(marks)])
            targets.append(int((batch.targets != IGNORE).sum()))
            steps.append(marks[-1] - marks[0])
            sizes = len(row.ids), len(row.ids) - row.p, batch.u.numel(), len(vocabulary)
            ratios.append(steps[-1] / _time_products(model, joined, *sizes))
    teacher, forward, backward = (median(column) for column in zip(*parts, strict=True))
    speed = sum(targets) / sum(steps)
    return TrainSpeed(speed, speed * median(ratios), teacher, forward, backward)


@dataclass(frozen=True)
class _Joined:
    """Layers of one input: weights (sum of out, in), A's (sum of r, in), each layer's B (out, r)."""

    weight: Tensor
    a: Tensor
    b: list[Tensor]


def _join(model: PTPModel) -> list[_Joined]:
    groups: dict[tuple[str, int], list[GatedLoraLinear]] = {}
    for number, (name, layer) in enumerate(model.lora.items()):
        assert isinstance(layer, GatedLoraLinear)
        parent, _, leaf = name.rpartition(".")
        place = next((i for i, names in enumerate(_SAME_INPUT) if leaf in names), len(_SAME_INPUT) + number)
        groups.setdefault((parent, place), []).append(layer)
    return [
        _Joined(
            torch.cat([layer.base.weight for layer in layers]).detach(),  # type: ignore[misc]
            torch.cat([layer.lora_A for layer in layers]).detach().to(model.dtype),
            [layer.lora_B.detach().to(model.dtype) for layer in layers],
        )
        for layers in groups.values()
    ]


@torch.no_grad()
def _time_products(
    model: PTPModel, joined: list[_Joined], real: int, answer: int, slots: int, vocabulary: int
) -> float:
    """Seconds of the products of one step: real rows, then slots forwards and back."""
    head = model.target.get_output_embeddings().weight[:vocabulary].to(model.dtype)
    ones = {n: torch.ones(max(real, slots), n, dtype=model.dtype, device=model.device) for n in _sizes(joined)}
    rows = {n: x[:slots] for n, x in ones.items()}
    hidden = rows[head.shape[1]]
    errors = torch.ones(slots, vocabulary, dtype=model.dtype, device=model.device)
    keys, real_queries, slot_queries = _attention(model, real, slots)
    scores = torch.ones(*slot_queries.shape[:2], real, dtype=model.dtype, device=model.device)
    layers = range(model.target.config.num_hidden_layers)
    start = time.perf_counter()
    for group in joined:
        F.linear(ones[group.weight.shape[1]][:real], group.weight)
    for _ in layers:
        (real_queries @ keys.transpose(1, 2)) @ keys
    model.logits(ones[head.shape[1]][:answer])
    for group in joined:
        x = rows[group.weight.shape[1]]
        y, low = F.linear(x, group.weight), x @ group.a.t()
        for part, low_part, b in _parts(y, low, group):
            part.addmm_(low_part, b.t())
    for _ in layers:
        (slot_queries @ keys.transpose(1, 2)) @ keys
    _, _ = F.linear(hidden, head), errors @ head
    for _ in layers:
        _, _ = slot_queries @ keys.transpose(1, 2), scores @ keys
    for group in reversed(joined):
        x, dy, low = (rows[n] for n in (group.weight.shape[1], len(group.weight), len(group.a)))
        (dy @ group.weight).addmm_(low, group.a)
        low.t() @ x
        for part, low_part, b in _parts(dy, low, group):
            _, _ = part @ b, part.t() @ low_part
    return time.perf_counter() - start


def _attention(model: PTPModel, real: int, slots: int) -> tuple[Tensor, Tensor, Tensor]:
    """Stand-ins for the keys (G, real, D) and the queries of real rows and slots (G, J rows, D) of one layer."""
    config = model.target.config
    heads, groups = config.num_attention_heads, getattr(config, "num_key_value_heads", config.num_attention_heads)
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    ones = torch.ones(groups, heads // groups * max(real, slots), size, dtype=model.dtype, device=model.device)
    return ones[:, :real], ones[:, : heads // groups * real], ones[:, : heads // groups * slots]


def _sizes(joined: list[_Joined]) -> set[int]:
    return {size for group in joined for size in (*group.weight.shape, len(group.a))}


def _parts(y: Tensor, low: Tensor, group: _Joined) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    """(columns of y, columns of low, B) of each layer of a group."""
    return zip(
        y.split([len(b) for b in group.b], -1), low.split([b.shape[1] for b in group.b], -1), group.b, strict=True
    )
