"""One position's race of clocks: who arrives when, in the target's race and in the draft's.

K runners    V vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..coupling import NoiseAt
from ..coupling.gumbel import MOST_RUNNERS, arrivals
from ..model.ptp_model import PTPModel
from ..trace import Emitted, Trace
from .agreement import agreement
from .blind import Blind, blind_model, blind_place
from .contexts import Contexts
from .position import Place
from .staircase import record_of

MAX_SHOWN = 24


@dataclass(frozen=True)
class Runner:
    """A token in the race: its number, its odds and its time of arrival, the target's and the draft's.

    prob and arrival are null where the target does not let it run, draft_prob and draft_arrival where the draft does
    not.
    """

    token: int
    text: str
    clock: float
    prob: float | None
    arrival: float | None
    draft_prob: float | None
    draft_arrival: float | None


@dataclass(frozen=True)
class ClockRace:
    """The race at one position.

    target     the token that the target's race gives, with its candidates and their clocks
    runners    by arrival, the target's first; at most MAX_SHOWN of `num_runners`
    lead       how clear the win was: 1 - first arrival / second; null where one token ran alone
    draft      the winner of the draft's race, null without an adapter, and where its slots begin one token later
    drafted_by  whose slot it is (blind.py); it is told no noise
    sharpness  the exponent of the draft's odds
    agreement  share of all noise on which both races have one winner
    limit      the best that any rule could do with these odds: 1 - TV
    likeliest  share of all noise on which the draft's likeliest token wins the target's race
    """

    target: Emitted
    runners: list[Runner]
    num_runners: int
    lead: float | None
    draft: int | None
    drafted_by: Blind | None
    sharpness: float | None
    agreement: float | None
    limit: float | None
    likeliest: float | None
    calls: int


def clock_race(model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None) -> ClockRace:
    """The race at one position of a text; ValueError for a text that was made with another coupling."""
    if trace.sampling.coupling != "gumbel":
        raise ValueError("This text was made with one u per position; a race of clocks needs the Gumbel coupling.")
    contexts = contexts or Contexts()
    place = Place(model, trace, position, contexts)
    target = record_of(place, trace)
    found = place.found.cpu()
    running = found.probs[0] > 0
    probs = dict(zip(found.tokens[0][running].tolist(), found.probs[0][running].tolist(), strict=True))
    drafted, by, sharpness, calls = None, None, None, place.calls
    if model.adapter is not None:
        drafted, by, sharpness, more = _odds_without_u(model, trace, position, contexts)
        calls += more
    odds = drafted or {}
    tokens = [*probs, *(t for t in odds if t not in probs)]
    clocks = NoiseAt(trace.noise, [position]).clocks(torch.tensor([tokens]))[0].double()
    p, q = (torch.tensor([of.get(t, 0.0) for t in tokens], dtype=torch.float64) for of in (probs, odds))
    times, draft_times = arrivals(p, clocks), arrivals(q, clocks)
    order = sorted(range(len(tokens)), key=lambda i: (float(times[i]), float(draft_times[i])))[:MAX_SHOWN]
    first = times.topk(min(2, len(times)), largest=False).values.tolist()
    alone = len(first) < 2 or first[1] == float("inf")
    return ClockRace(
        target=target,
        runners=[
            Runner(
                tokens[i], model.label(tokens[i]), float(clocks[i]), *_ran(p, times, i), *_ran(q, draft_times, i),
            )
            for i in order
        ],
        num_runners=len(probs),
        lead=None if alone else 1 - first[0] / first[1],
        draft=tokens[int(draft_times.argmin())] if odds else None,
        drafted_by=by,
        sharpness=sharpness,
        agreement=float(agreement(p[None], q[None], "gumbel")) if odds else None,
        limit=float(agreement(p[None], q[None], "limit")) if odds else None,
        likeliest=float(agreement(p[None], q[None], "argmax")) if odds else None,
        calls=calls,
    )  # fmt: skip


def _ran(probs: Tensor, times: Tensor, i: int) -> tuple[float | None, float | None]:
    return (float(probs[i]), float(times[i])) if probs[i] > 0 else (None, None)


def _odds_without_u(
    model: PTPModel, trace: Trace, position: int, contexts: Contexts
) -> tuple[dict[int, float] | None, Blind | None, float | None, int]:
    """The sharper odds of a slot that is told no noise, whose it is, the exponent, and the calls that it took."""
    config = blind_model(model).require_adapter()
    if position < config.lead:
        return None, None, None, 0
    place, by = blind_place(model, trace, position - config.lead, contexts)
    sharpness = config.figures(chained=False, draft_rule="race").sharpness
    top = place.untold_logits(1).float().topk(min(MOST_RUNNERS, model.config.vocab_size), dim=-1)
    odds = (top.values[0] * sharpness).softmax(-1)
    return dict(zip(top.indices[0].tolist(), odds.tolist(), strict=True)), by, sharpness, place.calls


def _step(value: float, towards: float) -> float:
    """The next float32 behind a number in the direction of `towards`."""
    return float(np.nextafter(np.float32(value), np.float32(towards)))


def nearest_clock(token: Emitted) -> tuple[int, float] | None:
    """The smallest change of one clock that gives another token: (whose clock, its new number).

    None where no other token runs, and for a token that has no clocks.
    """
    options: list[tuple[float, int, float]] = []
    for other in token.candidates:
        if other.clock is None:
            continue
        if other.token == token.token:
            value = _step(other.left, 0.0)
            options += [(other.clock - value, other.token, value)] if value > 0 else []
        else:
            value = _step(other.left, 1.0)
            options += [(value - other.clock, other.token, value)] if value < 1 else []
    return min(options)[1:] if options else None
