"""From a call's tensors to the records of a trace: emitted tokens, branches, kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ..coupling import Stay
from ..model.ptp_model import PTPModel
from ..sampling import Candidates, at_temperature
from ..trace import Candidate, Draft, Emitted, Excluded, Source, StepKind

MAX_CANDIDATES = 24
MAX_EXCLUDED = 6


def emitted_record(
    model: PTPModel,
    logits: Tensor,
    found: Candidates,
    column: int,
    stay: Stay,
    temperature: float,
    position: int,
    piece: str,
    source: Source,
    details: bool,
    most: int = MAX_CANDIDATES,
) -> Emitted:
    """One emitted token with the noise that keeps it and, if details are wanted, the candidates around it.

    logits (V,) and `found`, one row, are the target's. `column` is the token's place in `found`, and `stay` is what the
    coupling says of it. At most `most` candidates are listed.
    """
    tokens, probs = found.tokens[0], found.probs[0]
    listed: list[Candidate] = []
    excluded: list[Excluded] = []
    lost = 0.0
    if details:
        shown = probs.topk(min(most, len(probs))).indices.tolist()
        shown = sorted({column, *(i for i in shown if probs[i] > 0)})
        rows = zip(*(part[shown].tolist() for part in (tokens, probs, stay.lefts, stay.rights)), strict=True)
        clocks = [None] * len(shown) if stay.clocks is None else stay.clocks[shown].tolist()
        for (token, prob, left, right), clock in zip(rows, clocks, strict=True):
            listed.append(Candidate(token, model.label(token), prob, left, right, clock))
        if found.complete:
            excluded, lost = _excluded(model, at_temperature(logits, temperature), tokens[probs > 0])
    whole = probs if found.complete else at_temperature(logits, temperature)  # a shortlist: no filter is at work
    return Emitted(
        position=position,
        token=int(tokens[column]),
        text=piece,
        source=source,
        u=stay.number,
        prob=float(probs[column]),
        left=stay.left,
        right=stay.right,
        margin=stay.margin,
        candidates=listed,
        excluded=excluded,
        omitted_mass=max(0.0, 1 - sum(c.prob for c in listed)) if details else 0.0,
        excluded_mass=lost,
        entropy=float(torch.special.entr(whole).sum()),
        likeliest=bool(probs[column] >= probs.max()),
    )


def _excluded(model: PTPModel, raw: Tensor, kept: Tensor) -> tuple[list[Excluded], float]:
    """The most probable tokens that the filters removed from raw (V,), and the mass of all of them."""
    lost = max(0.0, 1 - float(raw[kept].sum()))
    removed = raw.index_fill(0, kept, 0.0).topk(MAX_EXCLUDED if len(raw) > MAX_EXCLUDED else len(raw))
    pairs = zip(removed.indices.tolist(), removed.values.tolist(), strict=True)
    return [Excluded(token, model.label(token), prob) for token, prob in pairs if prob > 0], lost


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
