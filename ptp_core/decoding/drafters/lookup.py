"""Prompt lookup: drafts that no model makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...model.ptp_model import PTPModel
from ...noise import NoiseTape
from ...sampling import SamplingConfig
from ...trace import DecodeStep, Draft
from ..session import START, Resume, Run, drive
from ..settings import window_of

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


def decode_prompt_lookup(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    num_speculative_tokens: int | None = None,
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Drafts what followed the last occurrence of the text's last words. No model drafts anything."""
    longest = LOOKUP_DRAFTS if num_speculative_tokens is None else window_of(model, num_speculative_tokens)
    run = Run(model, ids, noise, sampling, max_new_tokens, longest, details=details, resume=resume)

    def propose() -> list[Draft]:
        tokens = find_continuation(run.tokens, min(longest, run.remaining - 1))
        start = run.num_emitted
        drafts = [Draft(t, model.label(t), noise[start + i], 0.5, 1.0, "pending") for i, t in enumerate(tokens)]
        return drafts[: run.until_eos(drafts)]

    return drive(run, lambda drafts: [], propose)
