"""The maps that come with the lab belong to the text and the adapters that come with it."""

from app.noise.events import KINDS, NoiseRunner, opening
from app.noise.recordings import RUN, recorded_map, recorded_maps, telling_position
from app.noise.staircase_figure import staircase_figure
from app.race.races import recorded_race
from app.serving.models import ModelChoice, ModelShelf
from app.serving.theme import CHART_COLOURS
from app.serving.values import as_value


def test_recorded_maps_are_of_the_recorded_text():
    token = recorded_race("sky").reference.emitted[telling_position()]
    assert set(recorded_maps()) == {"square", "sweep", "staircase"}
    square, stairs = recorded_maps()["square"], recorded_maps()["staircase"]
    column = next(c for c in square.target if c.left <= token.u < c.right)
    assert column.token == stairs.target.token == token.token
    assert abs(column.left - token.left) < 1e-4 and abs(column.right - token.right) < 1e-4
    assert len(as_value(opening())) < 100_000


def test_a_recorded_map_needs_no_model():
    def nobody(*given, **options):
        raise AssertionError("no model is loaded")

    runner, position = NoiseRunner(ModelShelf(nobody)), telling_position()
    for kind in recorded_maps():
        (event, found), *more = runner.draw(ModelChoice(), {"kind": kind, "run": RUN, "position": position})
        assert event["event"] == "map" and not more
        assert KINDS[kind][1](found) == event["map"]
    assert recorded_map(ModelChoice("other"), RUN, "square", position) is None
    assert recorded_map(ModelChoice(), RUN, "square", position + 1) is None


def test_the_line_of_u_falls_from_its_axis():
    figure = staircase_figure(recorded_maps()["staircase"], CHART_COLOURS)
    line = next(trace for trace in figure.data if trace.name.startswith("u = "))
    axis = figure.layout.xaxis2
    assert axis.side == "top" and axis.title.text == "u"
    assert line.y[0] == figure.layout.yaxis.range[1], "it begins where the axis lies"
