"""A place of a text, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.stories import VARIANTS, long_story, slow_window

from ptp_core import NoiseTape, analysis
from ptp_core.maps.position import Place


@pytest.mark.parametrize("variant", VARIANTS)
def test_windows_are_the_draft_that_the_model_gives(make_model, variant):
    model = make_model(**VARIANTS[variant])
    trace = long_story(model)
    tapes = [NoiseTape(seed) for seed in range(15)]
    expected = [slow_window(model, trace, 4, tape.values(4, 8)) for tape in tapes]
    assert Place(model, trace, 4).windows(tapes, 4) == expected


def test_without_an_adapter_there_is_no_draft_to_show(make_model):
    model = make_model(adapter=False)
    trace = long_story(model)
    assert analysis.sweep(model, trace, 2, 5).draft is None
    assert analysis.safe_interval(model, trace, 2).draft_left is None
    assert analysis.unit_square(model, trace, 2).draft is None
    assert analysis.staircase(model, trace, 2).kind is None


def test_foreign_traces_and_places_outside_the_text_are_refused(tiny):
    trace = long_story(tiny)
    for function in (analysis.distribution, analysis.safe_interval, analysis.unit_square, analysis.staircase):
        with pytest.raises(ValueError, match="no position 99"):
            function(tiny, trace, 99)
        with pytest.raises(ValueError, match="written by other"):
            function(tiny, replace(trace, model="other"), 1)
        with pytest.raises(ValueError, match=r"There is a token|has no prompt"):
            function(tiny, replace(trace, prompt_tokens=[5000]), 1)
    with pytest.raises(ValueError, match="A sweep covers"):
        analysis.sweep(tiny, trace, 5, 2)
    for u in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="must lie in"):
            analysis.what_if(tiny, trace, 3, u)
