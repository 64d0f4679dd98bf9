"""Sweeps against decoding, point by point."""

from __future__ import annotations

import random

import pytest
from support.stories import ROUNDING, SAMPLINGS, VARIANTS, long_story, moved, slow_window, token_at

from ptp_core import analysis, generate


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_the_targets_sweep_against_decoding(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    found = analysis.sweep(tiny, trace, 3, 7)
    assert found.target[0].left == 0
    assert found.target[-1].right == 1
    for before, after in zip(found.target, found.target[1:], strict=False):
        assert before.right == after.left
    for stretch in found.target:
        if stretch.right - stretch.left < 4 * ROUNDING:
            continue
        noise = moved(trace, 3, (stretch.left + stretch.right) / 2)
        again = generate(tiny, trace.prompt_tokens, "ar", noise=noise, sampling=sampling, max_new_tokens=8)
        assert again.tokens[3:] == stretch.tokens


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_drafts_sweep_against_asking_it_at_random_points(make_model, variant):
    """The first grid has 33 points; thinner stretches may be missed, on at most 8 % of u (seeded)."""
    model = make_model(**VARIANTS[variant])
    trace = long_story(model)
    found = analysis.sweep(model, trace, 4, 7)
    rest = trace.noise.values(5, 8)
    draw = random.Random(1)
    points = [u for u in (draw.random() for _ in range(300)) if all(abs(u - s.left) > 1 / 256 for s in found.draft)]
    wrong = 0
    for u in points:
        tokens = list(slow_window(model, trace, 4, [u, *rest]))
        end = next((i for i, token in enumerate(tokens) if token in model.eos_tokens), len(tokens))
        wrong += next(s.tokens for s in found.draft if s.left <= u < s.right) != tokens[: end + 1]
    assert len(points) > 100
    assert wrong <= 0.08 * len(points)
    assert found.probes[1] <= 4
    assert len(found.draft) > 1, "the draft reads u"


def test_a_sweep_that_misses_much_says_so(tiny):
    """The random embedding of the tiny model makes a draft that changes too fast for any map."""
    found = analysis.sweep(tiny, long_story(tiny), 4, 7)
    assert found.probes[0] == 32
    assert found.probes[1] > 3


def test_safe_interval(make_model):
    tiny = make_model(**VARIANTS["o-ptp"])
    trace = long_story(tiny)
    for position in (2, 6, 9):
        found = analysis.safe_interval(tiny, trace, position)
        assert found.left <= found.u < found.right
        for u, same in ((found.left + ROUNDING, True), (found.right - ROUNDING, True), (found.right + ROUNDING, False)):
            if u < 1:
                noise = trace.noise.with_value(position, u)
                assert (token_at(tiny, trace, position, noise) == trace.tokens[position]) is same
        window = trace.noise.values(position, position + tiny.adapter.window)
        own = slow_window(tiny, trace, position, window)
        assert found.draft_left <= found.u < found.draft_right
        for edge, inside in ((found.draft_left, 1), (found.draft_right, -1)):
            if 0 < edge < 1:
                for side, same in ((inside, True), (-inside, False)):
                    u = edge + side * (found.draft_error + ROUNDING)
                    assert (slow_window(tiny, trace, position, [u, *window[1:]]) == own) is same
