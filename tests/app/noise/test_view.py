"""Noise maps as the browser gets them."""

import json

import pytest

from app.noise.staircase_figure import staircase_figure
from app.noise.view import square_view, staircase_view, sweep_view
from app.serving.theme import CHART_COLOURS
from ptp_core import NoiseTape, analysis, generate


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"kind": "blank", "variant": "independent"}, "u-blind draft"), ({}, "own slots, u hidden")],
)
def test_every_map_names_whose_draft_does_without_u(make_model, changes, words):
    model = make_model(**changes)
    trace = generate(model, [3, 5, 4], "ar", noise=NoiseTape(3), max_new_tokens=10)
    square = square_view(analysis.unit_square(model, trace, 2))
    sweep = sweep_view(analysis.sweep(model, trace, 2, 4))
    stairs = staircase_view(analysis.staircase(model, trace, 2))
    for view in (square, sweep, stairs):
        assert view["blind_name"].startswith(words)
        json.dumps(view, allow_nan=False)
    assert len({cell[2] for column in square["blind"]["columns"] for cell in column[3]}) == 1
    assert {len(stretch) for stretch in sweep["blind"]} == {3}
    assert 0 <= stairs["blind_agreement"] <= 1 and str(stairs["blind"]) in stairs["texts"]


def test_without_an_adapter_nobody_drafts(make_model):
    model = make_model(adapter=False)
    trace = generate(model, [3, 5, 4], "ar", noise=NoiseTape(3), max_new_tokens=10)
    assert square_view(analysis.unit_square(model, trace, 2))["blind"] is None
    assert sweep_view(analysis.sweep(model, trace, 2, 4))["blind"] is None
    stairs = staircase_view(analysis.staircase(model, trace, 2))
    assert (stairs["blind"], stairs["blind_agreement"], stairs["blind_name"]) == (None, None, "")


def test_the_staircase_shows_the_draft_without_u_as_a_line(make_model):
    model = make_model(kind="blank", variant="independent")
    trace = generate(model, [3, 5, 4], "ar", noise=NoiseTape(3), max_new_tokens=10)
    places = range(1, len(trace.tokens))
    drawn = [staircase_figure(analysis.staircase(model, trace, place), CHART_COLOURS) for place in places]
    assert any(line.name.startswith("u-blind draft") for figure in drawn for line in figure.data if line.name)
