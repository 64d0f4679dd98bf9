"""A position's race of clocks against decoding, and what an edited clock does."""

from __future__ import annotations

import pytest
from support.stories import ROUNDING, long_story, token_at

from ptp_core import SamplingConfig, analysis

GUMBEL = SamplingConfig(coupling="gumbel")


def test_the_winner_of_the_race_is_the_token_of_the_text(make_model):
    model = make_model(variant="independent", kind="blank")
    trace = long_story(model, sampling=GUMBEL)
    drafted = 0
    for position, token in enumerate(trace.emitted):
        found = analysis.clock_race(model, trace, position)
        assert found.runners[0].token == found.target.token == token.token
        arrivals = [r.arrival for r in found.runners if r.arrival is not None]
        assert arrivals == sorted(arrivals) and len(arrivals) <= found.num_runners
        expected = 1 - arrivals[0] / arrivals[1] if len(arrivals) > 1 else None
        assert found.lead == (expected if expected is None else pytest.approx(expected))
        if position < model.adapter.lead:
            assert found.draft is None, "the first slot drafts one token later"
            continue
        assert found.drafted_by.trained and found.draft is not None
        tv = 1 - found.limit
        assert (1 - tv) / (1 + tv) - 1e-9 <= found.agreement <= found.limit + 1e-9
        assert found.likeliest <= found.limit + 1e-9
        running = [r for r in found.runners if r.draft_arrival is not None]
        assert found.draft == min(running, key=lambda r: r.draft_arrival).token
        drafted += 1
    assert drafted > 8


def test_the_nearest_clock_gives_another_token_and_half_the_way_does_not(tiny):
    trace = long_story(tiny, sampling=GUMBEL)
    flips, others = 0, 0
    for position, token in enumerate(trace.emitted):
        found = analysis.nearest_clock(analysis.distribution(tiny, trace, position))
        if found is None or token.margin < 4 * ROUNDING:
            continue
        whose, value = found
        clock = next(c.clock for c in token.candidates if c.token == whose)
        assert abs(value - clock) == pytest.approx(token.margin, abs=ROUNDING)
        beyond = value + (ROUNDING if value > clock else -ROUNDING)
        if 0 < beyond < 1:
            flips, others = flips + 1, others + (whose != token.token)
            assert token_at(tiny, trace, position, trace.noise.with_clock(position, whose, beyond)) != token.token
            half = trace.noise.with_clock(position, whose, (clock + value) / 2)
            assert token_at(tiny, trace, position, half) == token.token
    assert flips > 5 and others > 1


def test_another_tokens_clock_can_be_swept(tiny):
    trace = long_story(tiny, sampling=GUMBEL)
    whose = next(c.token for c in trace.emitted[3].candidates if c.token != trace.tokens[3])
    found = analysis.sweep(tiny, trace, 3, 5, token=whose)
    assert found.moved == whose and found.target[0].tokens[0] == trace.tokens[3]
    assert found.target[-1].tokens[0] == whose and found.target[-1].right == 1
    changed = analysis.what_if(tiny, trace, 3, (found.target[-1].left + 1) / 2, token=whose)
    assert changed.tokens[3] == whose
    assert analysis.what_if(tiny, trace, 3, found.target[-1].left / 2, token=whose).tokens == trace.tokens


def test_the_square_of_two_clocks_has_a_draft(make_model):
    model = make_model(variant="independent", kind="blank")
    trace = long_story(model, sampling=GUMBEL)
    found = analysis.unit_square(model, trace, 4)
    assert found.moved == (trace.tokens[4], trace.tokens[5]) and 1 <= len(found.target) <= 2
    assert all(len(column.cells) <= 2 for column in found.target)
    assert 0 <= found.draft.agreement.pair <= found.draft.agreement.second <= 1 and found.draft.agreement.error > 0
    again = analysis.unit_square(model, trace, len(trace.tokens) - 1)  # nothing of the text stands behind
    assert again.moved[0] == trace.tokens[-1]


def test_each_coupling_has_its_own_picture_of_a_position(tiny):
    ours, theirs = long_story(tiny, sampling=GUMBEL), long_story(tiny)
    with pytest.raises(ValueError, match="race of clocks"):
        analysis.staircase(tiny, ours, 2)
    with pytest.raises(ValueError, match="one u per position"):
        analysis.clock_race(tiny, theirs, 2)
    assert analysis.nearest_clock(theirs.emitted[0]) is None


def test_a_race_without_an_adapter_has_no_draft(make_model):
    model = make_model(adapter=False)
    found = analysis.clock_race(model, long_story(model, sampling=GUMBEL), 2)
    assert found.draft is None and found.agreement is None and found.runners
