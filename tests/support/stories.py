"""Texts of the tiny model that noise maps are checked on, and brute force to check them with."""

from __future__ import annotations

import numpy as np

from ptp_core import NoiseTape, SamplingConfig, generate, pick
from ptp_core.coupling import coupling_of
from ptp_core.maps.position import Place
from ptp_core.maps.scan import middles

SAMPLINGS = [
    SamplingConfig(),
    SamplingConfig(temperature=0),
    SamplingConfig(temperature=1.0, top_k=0, top_p=1, order="token_id"),
    SamplingConfig(temperature=1.0, top_k=6, top_p=0.9),
    SamplingConfig(temperature=0.5, top_k=5, top_p=0.9, order="token_id", filter="reference"),
    SamplingConfig(coupling="gumbel"),
]


VARIANTS = {  # with an embedding of u that is as smooth as a trained one; the default of the tests is not
    "o-ptp": {"kind": "linear_interpolation"},
    "anchor": {"kind": "linear_interpolation", "anchor": True},
    "c-ptp": {"kind": "linear_interpolation", "variant": "c-ptp"},
    "c-ptp-start": {"kind": "linear_interpolation", "variant": "c-ptp", "start_slot": True},
}


ROUNDING = 1e-5  # invariant 1: rounding may move an edge by that much


def story(model, method="ar", seed=3, sampling=SAMPLINGS[0], length=14, ids=(3, 5, 4)):
    return generate(
        model, list(ids), method, noise=NoiseTape(seed), sampling=sampling, max_new_tokens=length,
        **({} if method == "ar" else {"draft_budget": 9}),
    )  # fmt: skip


def long_story(model, **options):
    """The first seed's text that does not end early."""
    for seed in range(60):
        trace = story(model, seed=seed, **options)
        if len(trace.tokens) >= 12:
            return trace
    raise AssertionError("every text ends early")


def moved(trace, position, value, token=None):
    """The trace's tape with the number of a position set: its u, or the clock of `token` (the text's own)."""
    token = trace.tokens[position] if token is None else token
    return coupling_of(trace.sampling).moved(trace.noise, position, token, value)


def token_at(model, trace, position, noise):
    """Brute force: decode the text on another tape and look."""
    again = generate(
        model, trace.prompt_tokens, "ar", noise=noise, sampling=trace.sampling, max_new_tokens=position + 1,
        details=False,
    )  # fmt: skip
    return again.tokens[position] if len(again.tokens) > position else None


def slow_window(model, trace, position, u):
    """One window by the model's public draft_logits, read by hand."""
    ids = [*trace.prompt_tokens, *trace.tokens[:position]]
    probs = model.draft_logits(ids, u, trace.sampling).softmax(-1)
    if model.adapter.variant == "o-ptp":
        return tuple(probs.argmax(-1).tolist())
    return tuple(pick(row, value, trace.sampling.order).item() for row, value in zip(probs, u, strict=True))


def dense_agreement(model, trace, position, draft, size=40):
    """(second, pair) by asking at size x size points."""
    place = Place(model, trace, position)
    firsts = [place.picked(trace.noise.with_value(position, u)) for u in middles(size)]
    above = place.extend_lanes(firsts)
    place.close_lanes()
    second = pair = 0
    for i, u1 in enumerate(middles(size)):
        row = [draft(u1, u2) for u2 in middles(size)]
        columns = above.right[i].tolist()
        theirs = [above.tokens[i, np.searchsorted(columns, u2, side="right")].item() for u2 in middles(size)]
        hits = sum(mine[1] == other for mine, other in zip(row, theirs, strict=True))
        second, pair = second + hits, pair + hits * (row[0][0] == firsts[i])
    return second / size**2, pair / size**2
