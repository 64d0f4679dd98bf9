"""What slots of a small target are worth: how often they are right, and tokens per call, on held-out texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ...model.config import C_PTP, U_BLIND
from .drawn import Drawn, draw
from .loss import USUAL
from .network import SmallLlama
from .slot_kinds import SlotKind

_AT_ONCE, _WINDOWS = 16, 32  # texts of a batch, windows of a text


class Measured(Protocol):
    """Slots, as slots.Slots."""

    @property
    def kind(self) -> SlotKind: ...
    def hits(self, net: SmallLlama, drawn: Drawn) -> tuple[Tensor, Tensor, Tensor]: ...


@torch.no_grad()
def measure_slots(net: SmallLlama, kinds: Mapping[str, Measured], tokens: Tensor, length: int) -> dict[str, Any]:
    """Figures of each kind on held-out texts (R, T) at T 0.7, all on the same windows of `length` slots.

    A call settles the window's first token; the run of right drafts behind it comes on top. `ahead` is the distance to
    the first u-blind kind. Its error, like `error_by_text`, counts texts, whose windows resemble each other.
    """
    generator = torch.Generator().manual_seed(0)
    found: dict[str, list[list[Tensor]]] = {kind: [] for kind in kinds}
    texts = []
    for first, part in zip(range(0, len(tokens), _AT_ONCE), tokens.split(_AT_ONCE), strict=True):
        drawn = draw(net, part, _WINDOWS, length, generator)
        usual = drawn.temperature[..., 0] == torch.tensor(USUAL)
        texts.append((first + torch.arange(len(part)))[:, None].expand_as(usual)[usual])
        for kind, slots in kinds.items():
            found[kind].append([hits[usual].float() for hits in slots.hits(net, drawn)])
    text, counted = torch.cat(texts), {}
    runs = {}
    for kind, slots in kinds.items():
        alone, chained, other = map(torch.cat, zip(*found[kind], strict=True))
        runs[kind] = _lengths(chained)
        counted[kind] = {
            **_figures(alone, chained), "error_by_text": _error(runs[kind], text),
            **({} if slots.kind.loss != "kl" else {_other(slots): round(float(_lengths(other).mean()), 4)}),
        }  # fmt: skip
    blind = next((kind for kind, slots in kinds.items() if slots.kind.variant == U_BLIND), None)
    for kind in () if blind is None else kinds:
        apart = runs[kind] - runs[blind or ""]
        if kind != blind:
            counted[kind] |= {"ahead": round(float(apart.mean()), 4), "ahead_error": _error(apart, text)}
    return counted


def _other(slots: Measured) -> str:
    return "by_argmax" if slots.kind.variant == C_PTP else "by_pick"


def _lengths(hits: Tensor) -> Tensor:
    """Tokens of each call (W,): one settled, and the run of right drafts; hits (W, L)."""
    return hits[:, 1:].cumprod(-1).sum(-1) + 1


def _figures(alone: Tensor, chained: Tensor) -> dict[str, Any]:
    """From hits (W, L) without the chain head and with it."""
    lengths = _lengths(chained)
    return {
        "right": _means(chained),
        "draft_run": _means(chained[:, 1:].cumprod(-1)),
        "tokens_per_call": round(float(lengths.mean()), 4),
        "standard_error": round(float(lengths.std() / len(lengths) ** 0.5), 4),
        "right_without_chain": _means(alone),
        "run_without_chain": _means(alone[:, 1:].cumprod(-1)),
        "without_chain": round(float(_lengths(alone).mean()), 4),
    }


def _means(rows: Tensor) -> list[float]:
    return [round(float(x), 4) for x in rows.mean(0)]


def _error(values: Tensor, text: Tensor) -> float:
    """Standard error of the mean of values (W,), where windows of one text (W,) may resemble each other."""
    sums = torch.zeros(int(text.max()) + 1, dtype=torch.float64)
    sums.index_add_(0, text, values.double() - values.double().mean())
    count = len(text.unique())
    return round(float((sums.square().sum() * count / max(count - 1, 1)).sqrt() / len(values)), 4)
