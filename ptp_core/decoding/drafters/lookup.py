"""Prompt lookup: drafts that no model makes."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.ptp_model import PTPModel
from ...sampling import SamplingConfig
from ...trace import Draft
from ..session import Session
from ..settings import DecodeSettings
from .base import Drafter, drafts

LOOKUP_DRAFTS = 5
LOOKUP_LONGEST, LOOKUP_SHORTEST = 3, 1  # n-gram sizes, tried in this order


def find_continuation(tokens: Sequence[int], count: int) -> list[int]:
    """Up to `count` tokens that followed the most recent earlier occurrence of the last n-gram, longest n first."""
    return longest_match(tokens, count)[1]


def longest_match(tokens: Sequence[int], count: int) -> tuple[int, list[int]]:
    """The n of that n-gram, 0 where there is none, and the tokens."""
    if count < 1:
        return 0, []
    for size in range(LOOKUP_LONGEST, LOOKUP_SHORTEST - 1, -1):
        tail = list(tokens[-size:])
        for start in range(len(tokens) - size - 1, -1, -1):
            if list(tokens[start : start + size]) == tail:
                return size, list(tokens[start + size : start + size + count])
    return 0, []


@drafts("prompt_lookup")
class Lookup(Drafter):
    """Drafts what followed the last occurrence of the text's last words."""

    def __init__(self, model: PTPModel, settings: DecodeSettings, sampling: SamplingConfig) -> None:
        given = settings.num_speculative_tokens
        self.max_drafts = LOOKUP_DRAFTS if given is None else given

    def propose(self, session: Session, kept: list[Draft]) -> list[Draft]:
        tokens = find_continuation(session.tokens, min(self.max_drafts, session.remaining - 1))
        start, label = session.num_emitted, session.model.label
        numbers = [session.coupling.number(session.noise, start + i, t) for i, t in enumerate(tokens)]
        found = [Draft(t, label(t), number, 0.5, 1.0, "pending") for t, number in zip(tokens, numbers, strict=True)]
        return found[: session.until_eos(found)]
