"""What a call costs here: measured, kept and tried again."""

import itertools

import pytest
from support.costs import FLAT
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core.decoding import measure_costs as cost
from ptp_core.decoding.costs import CostCurve
from ptp_core.model.ptp_model import PTPModel


def test_a_cache_folder_that_cannot_be_written_to_stops_nobody(make_model, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(cost, "measurements_folder", lambda: tmp_path / "file" / "cost")
    monkeypatch.setattr(cost, "measure_cost_curve", lambda model: FLAT)
    monkeypatch.setattr(cost, "curve_holds", lambda model, curve: True)
    model = make_model()
    cost.suppose(model)  # nothing is known of it yet
    assert cost.cost_curve(model) == FLAT
    cost.suppose(model)


def test_models_of_one_name_and_another_size_or_kernel_have_curves_of_their_own(make_model, monkeypatch):
    assert cost._fingerprint(make_model(quick=True)) != cost._fingerprint(make_model(quick=False))
    model = make_model()
    before = cost._fingerprint(model)
    monkeypatch.setattr(model.config, "hidden_size", 2 * model.config.hidden_size)
    assert cost._fingerprint(model) != before


def test_a_cost_curve_never_falls_and_interpolates():
    curve = CostCurve((1, 2, 4), (10.0, 9.0, 14.0))
    assert [curve.ms(n) for n in (1, 2, 3, 4, 6)] == [10, 10, 12, 14, 18]
    with pytest.raises(ValueError, match="two points"):
        CostCurve((1,), (1.0,))


@pytest.fixture
def clockwork(monkeypatch, tmp_path, make_model):
    """A model of its own, whose small calls take 10 ms and whose large ones 15, and an empty cache folder."""
    model = make_model(seed=77)
    cost.suppose(model)
    times = itertools.cycle([10.0, 15.0])
    monkeypatch.setattr(cost, "_time", lambda call: next(times))
    monkeypatch.setattr(cost, "measurements_folder", lambda: tmp_path)
    yield model
    cost.suppose(model)


def test_a_curve_holds_whatever_the_pace_as_long_as_the_ratio_does(clockwork):
    assert cost.curve_holds(clockwork, CostCurve((1, 16), (20.0, 30.0)))  # half as fast then, in all alike
    assert not cost.curve_holds(clockwork, CostCurve((1, 16), (10.0, 40.0)))  # measured beside other work
    assert not cost.curve_holds(clockwork, CostCurve((1, 16), (10.0, 10.5)))


@pytest.mark.parametrize(("kept", "renewed"), [((10.0, 40.0), True), ((20.0, 30.0), False)])
def test_a_kept_curve_that_no_longer_holds_is_measured_anew(clockwork, monkeypatch, kept, renewed):
    curves = iter([CostCurve((1, 16), kept), CostCurve((1, 16), (10.0, 15.0))])
    monkeypatch.setattr(cost, "measure_cost_curve", lambda model: next(curves))
    holds = cost.curve_holds
    monkeypatch.setattr(cost, "curve_holds", lambda model, curve: True)
    old = cost.cost_curve(clockwork)
    monkeypatch.setattr(cost, "curve_holds", holds)
    assert cost.cost_curve(clockwork) == old  # tried a moment ago
    cost.suppose(clockwork)  # another process, later
    assert (cost.cost_curve(clockwork) != old) == renewed
    cost.suppose(clockwork)
    assert cost.cost_curve(clockwork).milliseconds == ((10.0, 15.0) if renewed else kept)  # and that is kept


@pytest.mark.parametrize("context", [8, 40, 100, 191, 512])
def test_no_call_that_is_timed_lies_behind_the_context(context):
    model, rows = PTPModel(make_target(context=context), make_tokenizer(), make_adapter()), []
    forward = model.forward

    def watched(tokens, slots=None, *, positions, mask, cache=None):
        rows.append(int(positions.max()) + 1)
        return forward(tokens, slots, positions=positions, mask=mask, cache=cache)

    model.forward = watched
    curve = cost.measure_cost_curve(model)
    assert cost.curve_holds(model, curve) in (True, False)
    cost.measure_draft_costs(model, "shallow")
    assert max(rows) <= context and len(curve.positions) >= 2
    assert context < 128 or curve.positions == cost._SIZES
