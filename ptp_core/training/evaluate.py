"""How well an adapter drafts: along held-out conversations, teacher-forced.

u is uniform inside the teacher's bins, so each conversation is as likely as the target makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..model.ptp_model import PTPModel
from ..sampling import SamplingConfig, candidates
from .conversations import Conversation
from .shallow import shallow_hidden
from .windows import IGNORE, Batch, WindowConfig, chained_hidden, draw_windows, window_hidden


@dataclass(frozen=True)
class Evaluation:
    """What drafts are worth along the beginnings of held-out answers.

    A call settles a token and N right drafts behind it, and the next call begins behind those; N is what a chain
    head accepts where there is one, each draft told the text's own tokens in front of it (a run ends at the first
    wrong draft, so that is what decoding accepts).

    slot_accuracy   share of right drafts by slot, over windows at every token
    draft_run       P(N >= k), k = 1, 2, ..., over the calls
    tokens_per_call 1 + mean N over the calls: PQD's with slots enough, its reading of the prompt left out
    by_kind         the same per kind of task
    without_chain   the same if slots' own drafts are taken; None without a chain head
    even            1 + mean N over windows at every token. Larger: calls dwell where drafts fail
    windows, calls  how many there were
    """

    slot_accuracy: tuple[float, ...]
    draft_run: tuple[float, ...]
    tokens_per_call: float
    by_kind: dict[str, float]
    without_chain: float | None
    even: float
    windows: int
    calls: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def evaluate(
    model: PTPModel,
    rows: Sequence[Conversation],
    length: int | None = None,
    tokens: int = 48,
    seed: int = 0,
    shallow: bool = False,
) -> Evaluation:
    """Drafts windows of `length` slots (the adapter's) at each of the first `tokens` tokens of every answer, one
    answer at a time. Windows with a token that the teacher would not say are left out: decoding meets none.
    With `shallow`, shallow slots draft in place of all but the settled ones, which are not asked.

    Raises ValueError if every answer is too short for that.
    """
    config = model.require_adapter()
    if shallow:
        length = length or model.require_shallow().config.window + config.num_settled
    settled, length = config.num_settled, length or config.window
    generator = torch.Generator().manual_seed(seed)
    hits, calls, alone, even = [], [], [], []  # per window; N per call, with the chain and without; N per window
    by_kind: dict[str, list[int]] = {}
    for row in rows:
        own, chained, possible = _drafts_along(model, row, length, tokens, generator, shallow)
        if len(own) == 0:
            continue
        runs, alone_runs = (_runs(part, possible, settled) for part in (chained, own))
        walked = walk(runs)
        hits.append(chained[possible])
        even += [n for n in runs if n is not None]
        calls += walked
        alone += walk(alone_runs)
        by_kind.setdefault(row.kind, []).extend(walked)
    if not calls:
        raise ValueError("No held-out answer is long enough to draft along it.")
    depth = length - settled
    return Evaluation(
        slot_accuracy=tuple(torch.cat(hits).float().mean(0).tolist()),
        draft_run=tuple(sum(n >= k for n in calls) / len(calls) for k in range(1, depth + 1)),
        tokens_per_call=1 + sum(calls) / len(calls),
        by_kind={kind: 1 + sum(n) / len(n) for kind, n in sorted(by_kind.items())},
        without_chain=None if model.chain is None or shallow else 1 + sum(alone) / len(alone),
        even=1 + sum(even) / len(even),
        windows=len(even),
        calls=len(calls),
    )


def walk(runs: Sequence[int | None]) -> list[int]:
    """N of each call, if a call at token i finds runs[i] right drafts and the next begins behind them. None: no call
    begins there, the next token's may."""
    calls, place = [], 0
    while place < len(runs):
        found = runs[place]
        calls += [] if found is None else [found]
        place += (found or 0) + 1
    return calls


def _runs(right: Tensor, possible: Tensor, settled: int) -> list[int | None]:
    """Right drafts in a row behind the settled slots, of windows (N, L); None for those that are not possible (N,)."""
    counts = right[:, settled:].long().cumprod(-1).sum(-1).tolist()
    return [n if whole else None for n, whole in zip(counts, possible.tolist(), strict=True)]


def _drafts_along(
    model: PTPModel, row: Conversation, length: int, tokens: int, generator: torch.Generator, shallow: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Two (N, L) bool: which drafts of the windows at an answer's first tokens are right, the slots' own and, behind
    the settled ones, the chained; and (N,) bool: windows whose every token the teacher would say."""
    config = model.require_adapter()
    settled = config.num_settled
    part = replace(row, ids=row.ids[: row.p + tokens + length + config.lead - 1])
    count = len(part.ids) - part.p - length - config.lead + 1  # windows that lie in it whole
    if count < 1:
        return (torch.zeros(0, length, dtype=torch.bool),) * 2 + (torch.zeros(0, dtype=torch.bool),)
    drawing = WindowConfig(length, len(part.ids), 1.0, order=config.order)  # as many as there are places: all
    batch, context = draw_windows(model, [part], drawing, generator)
    possible = (batch.targets[0] != IGNORE).all(-1)
    if shallow:
        right = _shallow_right(model, batch, shallow_hidden(model, batch, context))
        right = torch.cat([torch.ones(len(right), settled, dtype=torch.bool), right.cpu()], dim=1)
        return right[:count], right[:count], possible[:count].cpu()
    hidden = window_hidden(model, batch, context)  # (1, N, L, E)
    own = chained = _right(model, batch, hidden, 0)
    if model.chain is not None:
        chained = torch.cat([own[:, :settled], _right(model, batch, chained_hidden(model, batch, hidden), settled)], 1)
    return own[:count], chained[:count], possible[:count]


def _right(model: PTPModel, batch: Batch, hidden: Tensor, skip: int) -> Tensor:
    """(N, L - skip) bool: whether the drafts of slots skip.., hidden states (1, N, L - skip, E), are the targets."""
    config, targets = model.require_adapter(), batch.targets[0, :, skip:]
    logits = model.logits(hidden[0].flatten(0, 1))  # (N (L - skip), V)
    u = batch.own_u[0, :, skip:].flatten()
    picks = config.variant == "c-ptp" and float(batch.temperature[0]) > 0  # else drafts are argmax, as in decoding
    return draft_tokens(logits, u, config.variant if picks else "o-ptp", config.order).view(targets.shape) == targets


def _shallow_right(model: PTPModel, batch: Batch, hidden: Tensor) -> Tensor:
    """_right of shallow slots: (N, L - s) bool from their hidden states (1, N, L - s, E)."""
    slots, config = model.require_shallow(), model.require_adapter()
    targets = batch.targets[0, :, config.num_settled :]
    logits = slots.logits(hidden[0].flatten(0, 1))
    columns = logits.argmax(-1)  # as in decoding, whatever they read
    return slots.vocabulary.to(columns.device)[columns].view(targets.shape) == targets


def draft_tokens(logits: Tensor, u: Tensor, variant: str, order: str) -> Tensor:
    """Drafts (R,) from slot logits (R, V): argmax (o-ptp), otherwise Pick with the predicted token's u (R,)."""
    if variant == "o-ptp":
        return logits.argmax(-1)
    found = candidates(logits, SamplingConfig(1.0, 0, 1.0, order), full=False)
    column = found.find(u.to(logits.device)).clamp(max=found.tokens.shape[1] - 1)
    return found.tokens.gather(1, column[:, None]).squeeze(1)
