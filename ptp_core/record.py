"""From a call's tensors to the records of a trace: emitted tokens, branches, kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from .model import PTPModel
from .sampling import Candidates
from .trace import Candidate, Draft, Emitted, Excluded, Source, StepKind

MAX_CANDIDATES = 24
MAX_EXCLUDED = 6


def emitted_record(
    model: PTPModel, row: Candidates, column: int, position: int, u: float, piece: str, source: Source, details: bool
) -> Emitted:
    """One emitted token with its bin and, if details are wanted, the candidates around it."""
    left, right = float(row.left[0, column]), float(row.right[0, column])
    distances = [d for d, other in ((u - left, left > 0), (right - u, right < 1)) if other]
    listed: list[Candidate] = []
    excluded: list[Excluded] = []
    if details:
        shown = row.probs[0].topk(min(MAX_CANDIDATES, row.probs.shape[1])).indices.tolist()
        shown = sorted({column, *(i for i in shown if row.probs[0, i] > 0)})
        columns = [row.tokens[0, shown], row.probs[0, shown], row.left[0, shown], row.right[0, shown]]
        for token, prob, low, high in zip(*(c.tolist() for c in columns), strict=True):
            listed.append(Candidate(token, model.label(token), prob, low, high))
        removed = row.raw[0].masked_fill(row.probs[0] > 0, 0).topk(min(MAX_EXCLUDED, row.raw.shape[1]))
        for prob, i in zip(removed.values.tolist(), removed.indices.tolist(), strict=True):
            if prob > 0:
                token = int(row.tokens[0, i])
                excluded.append(Excluded(token, model.label(token), prob))
    kept = float(row.raw[0][row.probs[0] > 0].sum())
    return Emitted(
        position=position,
        token=int(row.tokens[0, column]),
        text=piece,
        source=source,
        u=u,
        prob=float(row.probs[0, column]),
        left=left,
        right=right,
        margin=min(distances) if distances else None,
        candidates=listed,
        excluded=excluded,
        omitted_mass=max(0.0, 1 - sum(c.prob for c in listed)),
        excluded_mass=max(0.0, 1 - kept),
    )


def step_kind(index: int, drafts: Sequence[Draft], branches: Sequence[Any]) -> StepKind:
    if index == 0:
        return "prefill"
    if drafts:
        return "verify_and_draft" if branches else "verify"
    return "draft" if branches else "decode"


def draft_status(i: int, num_accepted: int) -> Literal["accepted", "rejected", "discarded"]:
    if i < num_accepted:
        return "accepted"
    return "rejected" if i == num_accepted else "discarded"
