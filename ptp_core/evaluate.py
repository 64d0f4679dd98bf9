"""How well an adapter drafts: accuracy by slot on held-out conversations, teacher-forced.

u is uniform inside the teacher's bins, so each conversation is as likely as the target makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from .data import Conversation
from .distill import IGNORE, WindowConfig, draw_windows, window_hidden
from .model import PTPModel
from .sampling import SamplingConfig, candidates


@dataclass(frozen=True)
class Evaluation:
    """slot_accuracy[j] = share of windows whose draft j is right; draft_run[k-1] = P(N >= k), N the run of
    right drafts behind the settled token; tokens_per_call = 1 + E[N]; by_kind the latter per kind of task."""

    slot_accuracy: tuple[float, ...]
    draft_run: tuple[float, ...]
    tokens_per_call: float
    windows: int
    by_kind: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def evaluate(
    model: PTPModel, rows: Sequence[Conversation], length: int = 6, windows_per_row: int = 24, seed: int = 0
) -> Evaluation:
    """Drafts windows of `length` slots at random places of each conversation, one conversation at a time.

    Only windows whose every target lies in the teacher's support are counted.
    """
    config = model.require_adapter()
    generator = torch.Generator().manual_seed(seed)
    drawing = WindowConfig(length, windows_per_row, 1.0, order=config.order)
    right: list[Tensor] = []
    kinds: list[str] = []
    for row in rows:
        if len(row.ids) - row.p <= config.lead + length:
            continue
        batch, context = draw_windows(model, [row], drawing, generator)
        logits = model.logits(window_hidden(model, batch, context)[0].flatten(0, 1))  # (N L, V)
        drafted = draft_tokens(logits, batch.own_u[0].flatten(), config.variant, config.order).view(-1, length)
        whole = (batch.targets[0] != IGNORE).all(-1)
        right.append((drafted == batch.targets[0])[whole])
        kinds += [row.kind] * int(whole.sum())
    hits = torch.cat(right).float()  # (windows, L)
    settled = 1 - config.lead
    runs = hits[:, settled:].cumprod(-1)
    each = runs.sum(-1)
    by_kind = {kind: 1 + float(each[[k == kind for k in kinds]].mean()) for kind in sorted(set(kinds))}
    return Evaluation(
        tuple(hits.mean(0).tolist()), tuple(runs.mean(0).tolist()), 1 + float(each.mean()), len(hits), by_kind
    )


def draft_tokens(logits: Tensor, u: Tensor, variant: str, order: str) -> Tensor:
    """Drafts (R,) from slot logits (R, V): argmax (o-ptp), otherwise Pick with the predicted token's u (R,)."""
    if variant == "o-ptp":
        return logits.argmax(-1)
    found = candidates(logits, SamplingConfig(1.0, 0, 1.0, order), full=False)
    column = found.find(u.to(logits.device)).clamp(max=found.tokens.shape[1] - 1)
    return found.tokens.gather(1, column[:, None]).squeeze(1)
