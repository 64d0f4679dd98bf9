"""From one u to one token, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from support.stories import ROUNDING, SAMPLINGS, VARIANTS, long_story, slow_window, token_at

from ptp_core import analysis
from ptp_core.maps.contexts import Contexts
from ptp_core.maps.position import Place
from ptp_core.maps.scan import middles


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_distribution_is_the_one_the_text_was_drawn_from(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    contexts = Contexts()
    for position in (0, 5, len(trace.tokens) - 1):
        found, known = analysis.distribution(tiny, trace, position, contexts), trace.emitted[position]
        assert (found.token, found.u, found.text) == (known.token, known.u, known.text)
        assert found.left == pytest.approx(known.left, abs=ROUNDING)
        assert found.right == pytest.approx(known.right, abs=ROUNDING)
        assert sum(c.prob for c in found.candidates) == pytest.approx(1 - found.omitted_mass, abs=1e-6)
        if sampling.coupling == "inverse_cdf":
            edges = [c.left for c in found.candidates]
            assert edges == sorted(edges)


@pytest.mark.parametrize("sampling", [SAMPLINGS[0], SAMPLINGS[2]], ids=str)
def test_the_nearest_flip_flips_and_half_of_it_does_not(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    flips = 0
    for position, token in enumerate(trace.emitted):
        flip = analysis.nearest_flip(analysis.distribution(tiny, trace, position))
        if flip is None:
            continue
        assert abs(flip - token.u) == pytest.approx(token.margin, abs=ROUNDING)
        beyond = flip + np.sign(flip - token.u) * ROUNDING  # on the far side of a rounding error
        if 0 <= beyond < 1 and token.margin > 4 * ROUNDING:
            flips += 1
            assert token_at(tiny, trace, position, trace.noise.with_value(position, beyond)) != token.token
            half = (token.u + flip) / 2
            assert token_at(tiny, trace, position, trace.noise.with_value(position, half)) == token.token
    assert flips > 5


def test_a_certain_token_has_no_flip(tiny):
    trace = long_story(tiny, sampling=SAMPLINGS[1])
    assert analysis.nearest_flip(analysis.distribution(tiny, trace, 3)) is None


def test_the_staircase_of_o_ptp_is_its_argmax_over_u(make_model):
    tiny = make_model(**VARIANTS["o-ptp"])
    trace = long_story(tiny)
    found = analysis.staircase(tiny, trace, 5)
    assert found.kind == "argmax"
    grid = middles(150)
    place = Place(tiny, trace, 5)
    mine = [slow_window(tiny, trace, 5, [u])[0] for u in grid]
    shown = [next(s.tokens[0] for s in found.draft if s.left <= u < s.right) for u in grid]
    assert sum(a != b for a, b in zip(mine, shown, strict=True)) <= 5
    same = sum(token == place.picked(trace.noise.with_value(5, u)) for token, u in zip(mine, grid, strict=True)) / len(
        grid
    )
    assert found.agreement == pytest.approx(same, abs=0.03)
    assert 0 <= found.total_variation <= 1 - found.agreement + 1e-6


@pytest.mark.parametrize("variant", ["c-ptp", "c-ptp-start"])
def test_the_staircase_of_c_ptp_is_the_distribution_it_recovers(make_model, variant):
    model = make_model(**VARIANTS[variant])
    trace = long_story(model)
    found = analysis.staircase(model, trace, 5)
    assert found.kind == "recovered"
    lead = model.adapter.lead
    ids = [*trace.prompt_tokens, *trace.tokens[: 5 - lead]]
    probs = model.draft_logits(ids, trace.noise.values(5 - lead, 6), trace.sampling).softmax(-1)[-1]
    for stretch in found.draft:
        assert stretch.right - stretch.left == pytest.approx(probs[stretch.tokens[0]].item(), abs=1e-5)
    target = {c.token: c.prob for c in found.target.candidates}
    distance = sum(abs(probs[t].item() - target.get(t, 0.0)) for t in range(len(probs))) / 2
    assert found.total_variation == pytest.approx(distance, abs=1e-4)
