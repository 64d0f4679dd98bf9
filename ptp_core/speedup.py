"""When measured times make a speed-up, and when they only show that the machine's speed changed.

A parallel call does all that a plain call does, and more. So a method can be as many times faster as it brings tokens
per call, and no faster. A larger ratio means that the machine was slower while the plain text was decoded. So do
repeats of the same work that take very different times. Such times give no figure. First calls are left out: they read
the prompt, which costs every method the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

TOLERANCE = 1.05  # a speed-up may be so many times the tokens per call: timing is never quite even
STEADY = 1.5  # the slowest repeat of the same work over the fastest
STRETCH = 8  # tokens: stretches of a plain lane count as repeats of each other
ENOUGH = 16  # tokens behind the first calls; fewer give no figure

CHANGED = "The machine's speed changed during the run, so there is no speed-up to give."
SHORT = f"A speed-up needs {ENOUGH} tokens after the first call of each lane."
UNTIMED = "There are no times to compare."


@dataclass(frozen=True)
class Call:
    """A call of a lane: the tokens that it brought, and its seconds."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Two lanes of one text, compared over the same tokens. Pairs are (plain, parallel).

    tokens    of the text that both lanes have
    calls     that these tokens took, first calls included
    ms        milliseconds per token behind the first calls; None where nothing is behind them
    speedup   None where there is no figure; `why` then says so in a sentence
    """

    tokens: int
    calls: tuple[int, int]
    ms: tuple[float, float] | None
    speedup: float | None
    why: str


def too_fast(speedup: float, tokens_per_call: float) -> bool:
    """Whether a method seems faster than its tokens per call allow."""
    return speedup > TOLERANCE * tokens_per_call


def is_steady(seconds: Sequence[float]) -> bool:
    """Whether repeats of the same work took about the same time."""
    return not seconds or max(seconds) <= STEADY * min(seconds)


def compare_lanes(plain: Sequence[Call], parallel: Sequence[Call]) -> Comparison:
    """Compares the lanes at the largest number of tokens at which a call of each ended.

    A lane that was stopped early shortens the other one.
    """
    lanes = (plain, parallel)
    ends = [[0, *accumulate(call.tokens for call in lane)] for lane in lanes]
    shared = sorted(set(ends[0]) & set(ends[1]))
    last, prompt_read = shared[-1], max(lane[0].tokens if lane else 0 for lane in lanes)
    first = next((end for end in shared if end >= prompt_read), last)
    calls = tuple(lane_ends.index(last) for lane_ends in ends)
    parts = [lane[lane_ends.index(first) : end] for lane, lane_ends, end in zip(lanes, ends, calls, strict=True)]
    tokens, seconds = last - first, [sum(call.seconds for call in part) for part in parts]
    ms = (1e3 * seconds[0] / tokens, 1e3 * seconds[1] / tokens) if tokens else None
    speedup, why = _judged(tokens, seconds, parts)
    return Comparison(last, (calls[0], calls[1]), ms, speedup, why)


def _judged(tokens: int, seconds: Sequence[float], parts: Sequence[Sequence[Call]]) -> tuple[float | None, str]:
    """The speed-up over these calls, or None and why there is none."""
    plain, parallel = parts
    if tokens < ENOUGH:
        return None, SHORT
    if not min(seconds) > 0:
        return None, UNTIMED
    speedup = seconds[0] / seconds[1]
    whole = range(0, len(plain) - STRETCH + 1, STRETCH)
    stretches = [sum(call.seconds for call in plain[i : i + STRETCH]) for i in whole]
    if too_fast(speedup, len(plain) / len(parallel)) or not is_steady(stretches):
        return None, CHANGED
    return speedup, ""
