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
from .distill import IGNORE, Batch, WindowConfig, chained_hidden, draw_windows, window_hidden
from .model import PTPModel
from .sampling import SamplingConfig, candidates


@dataclass(frozen=True)
class Evaluation:
    """slot_accuracy[j] = share of windows whose draft j is right; draft_run[k-1] = P(N >= k), N the run of
    right drafts behind the settled token; tokens_per_call = 1 + E[N]; by_kind the latter per kind of task.
    With a chain head, drafts behind the settled token are chained, each told the text's own token in front of it
    (a run ends at the first wrong draft, so this is what decoding accepts); without_chain is then 1 + E[N] of the
    slots' own drafts."""

    slot_accuracy: tuple[float, ...]
    draft_run: tuple[float, ...]
    tokens_per_call: float
    windows: int
    by_kind: dict[str, float]
    without_chain: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def evaluate(
    model: PTPModel, rows: Sequence[Conversation], length: int = 6, windows_per_row: int = 24, seed: int = 0
) -> Evaluation:
    """Drafts windows of `length` slots at random places of each conversation, one conversation at a time.

    Only windows whose every target lies in the teacher's support are counted.
    """
    config, settled = model.require_adapter(), model.require_adapter().num_settled
    generator = torch.Generator().manual_seed(seed)
    drawing = WindowConfig(length, windows_per_row, 1.0, order=config.order)
    right: list[Tensor] = []
    alone: list[Tensor] = []
    kinds: list[str] = []
    for row in rows:
        if len(row.ids) - row.p <= config.lead + length:
            continue
        batch, context = draw_windows(model, [row], drawing, generator)
        hidden = window_hidden(model, batch, context)  # (1, N, L, E)
        whole = (batch.targets[0] != IGNORE).all(-1)
        own = _right(model, batch, hidden, 0)
        chained = own
        if model.chain is not None:
            chained = torch.cat(
                [own[:, :settled], _right(model, batch, chained_hidden(model, batch, hidden), settled)], 1
            )
        right.append(chained[whole])
        alone.append(own[whole])
        kinds += [row.kind] * int(whole.sum())
    hits = torch.cat(right).float()  # (windows, L)
    runs = hits[:, settled:].cumprod(-1)
    each = runs.sum(-1)
    without = 1 + float(torch.cat(alone).float()[:, settled:].cumprod(-1).sum(-1).mean())
    by_kind = {kind: 1 + float(each[[k == kind for k in kinds]].mean()) for kind in sorted(set(kinds))}
    return Evaluation(
        tuple(hits.mean(0).tolist()),
        tuple(runs.mean(0).tolist()),
        1 + float(each.mean()),
        len(hits),
        by_kind,
        None if model.chain is None else without,
    )


def _right(model: PTPModel, batch: Batch, hidden: Tensor, skip: int) -> Tensor:
    """(N, L - skip) bool: whether the drafts of slots skip.., hidden states (1, N, L - skip, E), are the targets."""
    config, targets = model.require_adapter(), batch.targets[0, :, skip:]
    logits = model.logits(hidden[0].flatten(0, 1))  # (N (L - skip), V)
    u = batch.own_u[0, :, skip:].flatten()
    return draft_tokens(logits, u, config.variant, config.order).view(targets.shape) == targets


def draft_tokens(logits: Tensor, u: Tensor, variant: str, order: str) -> Tensor:
    """Drafts (R,) from slot logits (R, V): argmax (o-ptp), otherwise Pick with the predicted token's u (R,)."""
    if variant == "o-ptp":
        return logits.argmax(-1)
    found = candidates(logits, SamplingConfig(1.0, 0, 1.0, order), full=False)
    column = found.find(u.to(logits.device)).clamp(max=found.tokens.shape[1] - 1)
    return found.tokens.gather(1, column[:, None]).squeeze(1)
