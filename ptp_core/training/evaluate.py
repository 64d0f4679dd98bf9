"""How well an adapter drafts: along held-out conversations, teacher-forced.

u is uniform inside the teacher's bins, so each conversation is as likely as the target makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..coupling.noise_at import noise_from
from ..decoding.slots import read_slots
from ..model.attention import KVCache
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from .conversations import Conversation
from .windows import IGNORE, Batch, WindowConfig, chained_hidden, draw_windows, window_hidden

_ANSWERS, _ANSWERS_ELSEWHERE = {"cpu": 1}, 16  # that are drafted along at once


@dataclass(frozen=True)
class Evaluation:
    """What drafts are worth along the beginnings of held-out answers.

    A call settles a token and N right drafts behind it. The next call begins behind those. Where there is a chain head,
    N counts its drafts, each told the text's own tokens before it. Decoding accepts as many, since a run ends at the
    first wrong draft.

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


@dataclass(frozen=True)
class Reader:
    """How the drafts of a window are read.

    length   slots of a window, the settled ones included
    right    whether each draft is the target, (B, N, L) bool over the windows of B conversations. None where the
             drafts of single slots are all there is, else first those, then the chained ones
    """

    length: Callable[[PTPModel], int]
    right: Callable[[PTPModel, Batch, KVCache], tuple[Tensor, Tensor | None]]


@torch.no_grad()
def evaluate(
    model: PTPModel,
    rows: Sequence[Conversation],
    length: int | None = None,
    tokens: int = 48,
    seed: int = 0,
    reader: Reader | None = None,
) -> Evaluation:
    """Drafts windows of `length` slots (the reader's) at each of the first `tokens` tokens of every answer.

    On the CPU it takes one answer at a time, elsewhere several, with the same result. Windows with a token that the
    teacher would not say are left out: decoding meets none. Without a reader, the slots that run through all layers
    draft (DEEP).

    Raises ValueError if every answer is too short for that.
    """
    reader, settled = reader or DEEP, model.require_adapter().num_settled
    length = length or reader.length(model)
    generator = torch.Generator().manual_seed(seed)
    hits, calls, alone, even = [], [], [], []  # per window; N per call, with the chain and without; N per window
    by_kind: dict[str, list[int]] = {}
    has_chain = False
    for kind, own, chained, possible in _drafts_along(model, rows, length, tokens, generator, reader):
        best = own if chained is None else chained
        runs, alone_runs = (_runs(part, possible, settled) for part in (best, own))
        walked = walk(runs)
        hits.append(best[possible])
        has_chain = chained is not None
        even += [n for n in runs if n is not None]
        calls += walked
        alone += walk(alone_runs)
        by_kind.setdefault(kind, []).extend(walked)
    if not calls:
        raise ValueError("No held-out answer is long enough to draft along it.")
    depth = length - settled
    return Evaluation(
        slot_accuracy=tuple(torch.cat(hits).float().mean(0).tolist()),
        draft_run=tuple(sum(n >= k for n in calls) / len(calls) for k in range(1, depth + 1)),
        tokens_per_call=1 + sum(calls) / len(calls),
        by_kind={kind: 1 + sum(n) / len(n) for kind, n in sorted(by_kind.items())},
        without_chain=1 + sum(alone) / len(alone) if has_chain else None,
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
    model: PTPModel, rows: Sequence[Conversation], length: int, tokens: int, generator: torch.Generator, reader: Reader
) -> Iterator[tuple[str, Tensor, Tensor | None, Tensor]]:
    """Per answer: its kind, what the reader says of the windows at its first tokens, and which windows (N,) count.

    Those count whose every token the teacher would say. Answers that are too short are passed over.
    """
    lead, order = model.require_adapter().lead, model.require_adapter().order
    parts = [replace(row, ids=row.ids[: row.p + tokens + length + lead - 1]) for row in rows]
    counts = [len(part.ids) - part.p - length - lead + 1 for part in parts]  # windows that lie in it whole
    there = [(part, count) for part, count in zip(parts, counts, strict=True) if count > 0]
    several = _ANSWERS.get(model.device.type, _ANSWERS_ELSEWHERE)
    for start in range(0, len(there), several):
        some = there[start : start + several]
        drawing = WindowConfig(length, max(len(part.ids) for part, _ in some), 1.0, order=order)  # all places
        batch, context = draw_windows(model, [part for part, _ in some], drawing, generator)
        possible = (batch.targets != IGNORE).all(-1).cpu()
        own, chained = (None if part is None else part.cpu() for part in reader.right(model, batch, context))
        assert own is not None
        for i, (part, count) in enumerate(some):
            behind = None if chained is None else chained[i, :count]
            yield part.kind, own[i, :count], behind, possible[i, :count]


def _deep_right(model: PTPModel, batch: Batch, context: KVCache) -> tuple[Tensor, Tensor | None]:
    config = model.require_adapter()
    settled, argmax = config.num_settled, config.variant != "c-ptp"
    hidden = window_hidden(model, batch, context)  # (B, N, L, E)
    own = right_drafts(model.logits, hidden, batch, 0, config.order, argmax)
    if model.chain is None:
        return own, None
    chained = chained_hidden(model, batch, hidden)
    behind = right_drafts(model.logits, chained, batch, settled, config.order, argmax)
    return own, torch.cat([own[..., :settled], behind], dim=-1)


DEEP = Reader(lambda model: model.require_adapter().window, _deep_right)


def right_drafts(
    logits: Callable[[Tensor], Tensor], hidden: Tensor, batch: Batch, skip: int, order: str, argmax: bool,
    vocabulary: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Whether the drafts of slots skip.. are the targets: (B, N, L - skip) bool from hidden (B, N, L - skip, E).

    logits makes (..., V) of (..., E); it is asked for one conversation's at a time. vocabulary (V,): the tokens that
    the columns stand for, where those are not all.
    """
    drafts, own_u = [], batch.own_u.cpu()
    for i, temperature in enumerate(batch.temperature.tolist()):
        u = own_u[i, :, skip:].flatten()
        greedy = temperature == 0  # then drafts are argmax, as in decoding
        drafts.append(draft_tokens(logits(hidden[i]).flatten(0, 1), u, order, argmax or greedy))
    targets = batch.targets[..., skip:]
    found = torch.stack(drafts).to(targets.device)
    return (found if vocabulary is None else vocabulary.to(targets.device)[found]).view(targets.shape) == targets


def draft_tokens(logits: Tensor, u: Tensor, order: str, argmax: bool) -> Tensor:
    """Drafts (R,) from slot logits (R, V), on the CPU: the argmax, otherwise Pick with the predicted token's u (R,)."""
    noise = noise_from(NoiseTape.from_values(u.tolist()), 0, len(u))
    return torch.tensor([token for token, _, _ in read_slots(logits, noise, SamplingConfig(order=order), argmax)])
