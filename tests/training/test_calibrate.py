import json

import numpy as np
import pytest

from ptp_core import SamplingConfig, generate
from ptp_core.decoding.drafters.branches import calibrated
from ptp_core.decoding.drafters.slots import allocator_runs
from ptp_core.model.config import AdapterConfig, DraftFigures
from ptp_core.statistics import expected_calibration_error, survival
from ptp_core.storage.adapter_files import rewrite_config
from ptp_core.training.calibrate import calibrate, fit_confidence, with_calibration


def test_survival_counts_runs_that_were_cut_short():
    runs = [[True, True], [True, False], [False], [True]] * 250  # the last was cut behind its first draft
    first, second = survival(runs, 2)
    assert first == pytest.approx(0.75, abs=0.01)
    assert second == pytest.approx(0.75 * 0.5, abs=0.01)


def test_a_depth_that_was_never_reached_is_neither_never_nor_always():
    assert 0 < survival([[False]] * 50, 3)[2] < survival([[True]] * 50, 3)[0] < 1


def test_confidence_fit_recovers_known_weights():
    draw = np.random.default_rng(0)
    prob, margin = draw.uniform(0.02, 0.98, 20_000), draw.uniform(0.001, 0.5, 20_000)
    truth = [calibrated(p, m, (0.8, 0.5, 0.2)) for p, m in zip(prob, margin, strict=True)]
    right = draw.uniform(size=20_000) < truth
    weights = fit_confidence(prob, margin, right)
    assert weights == pytest.approx((0.8, 0.5, 0.2), abs=0.1)
    fitted = [calibrated(p, m, weights) for p, m in zip(prob, margin, strict=True)]
    assert expected_calibration_error(fitted, right) < 0.015
    assert expected_calibration_error(prob, right) > 0.1  # negative control: the raw figure is off


def test_confidence_of_one_kind_only_is_left_alone():
    assert fit_confidence([0.4, 0.6], [1, 1], [True, True]) == (1.0, 0.0, 0.0)


def test_calibration_error_by_hand():
    assert expected_calibration_error([0.9, 0.9, 0.1, 0.1], [True, True, False, False]) == pytest.approx(0.1)
    assert expected_calibration_error([0.9, 0.9], [False, False]) == pytest.approx(0.9)
    assert expected_calibration_error([], []) == 0


def test_an_earlier_calibration_changes_nothing_in_a_new_one(make_model):
    prompts, samplings = [[3, 4, 5], [6, 7], [8, 9, 10, 11]], [SamplingConfig(0.3)] * 3
    shy, plain = (make_model(confidence=weights) for weights in ((0.2, 0.0, -3.0), None))
    found = [calibrate(m, prompts, samplings, max_new_tokens=30, draft_budget=9) for m in (shy, plain)]
    assert found[0] == found[1]
    trace = [generate(m, [3, 4, 5], "pqd", max_new_tokens=30, draft_budget=9) for m in (shy, plain)]
    odds = [[d.prob for step in t.steps for d in step.drafts] for t in trace]
    assert odds[0] != odds[1]  # negative control: where drafts are calibrated, it does


def test_calibrating_leaves_the_model_as_it_was(make_model):
    model = make_model(confidence=(2.0, 0.0, 1.0))
    before = model.adapter
    prompts = [[3, 4, 5], [6, 7], [8, 9, 10, 11]]
    found = calibrate(model, prompts, [SamplingConfig(0.3)] * 3, max_new_tokens=30, draft_budget=9)
    assert model.adapter is before
    assert found.drafts > 10
    assert all(a >= b for a, b in zip(found.draft_run, found.draft_run[1:], strict=False))
    assert len(found.draft_run) == model.adapter.window


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"chain": 16, "seed": 5}, {}),
        ({"chain": 16, "seed": 5}, {"chained": False}),
        ({"variant": "c-ptp", "chain": 0}, {}),
        ({"variant": "independent", "kind": "blank"}, {"draft_rule": "pick"}),
        ({"variant": "independent", "kind": "blank"}, {"draft_rule": "race"}),
    ],
    ids=str,
)
def test_many_prompts_at_once_give_the_figures_of_one_by_one(make_model, changes, options):
    model = make_model(**changes)
    prompts, samplings = [[3, 4, 5], [6, 7], [8, 9, 10, 11], [5, 4]], [SamplingConfig(t) for t in (0.3, 0.7, 0.3, 0.0)]
    options = {"max_new_tokens": 30, "draft_budget": 9, **options}
    alone, together = (calibrate(model, prompts, samplings, at_once=many, **options) for many in (False, True))
    assert together.drafts == alone.drafts > 10
    for name in ("draft_run", "draft_run_rejected", "confidence", "error", "sharpness"):
        assert getattr(together, name) == pytest.approx(getattr(alone, name), abs=1e-4), name


def test_drafts_without_the_chain_head_have_figures_of_their_own(make_model, tmp_path):
    """Trained or not, chained drafts differ from the slots' own; each kind is planned with what was seen of it."""
    model = make_model(chain=16, seed=5)
    prompts, samplings = [[3, 4, 5], [6, 7], [8, 9, 10, 11]], [SamplingConfig(0.3)] * 3
    options = {"max_new_tokens": 30, "draft_budget": 9}
    with_chain = calibrate(model, prompts, samplings, **options)
    without = calibrate(model, prompts, samplings, chained=False, **options)
    assert with_chain != without
    config = with_calibration(model.adapter, with_chain, without)
    assert config.figures() == with_chain.figures
    assert config.figures(chained=False) == without.figures != with_chain.figures
    rewrite_config(tmp_path, config)
    stored = json.loads((tmp_path / "ptp_config.json").read_text())
    assert stored["unchained"]["draft_run"] == list(without.draft_run)
    before, model.adapter = model.adapter, config
    try:
        assert allocator_runs(model)[0] == with_chain.draft_run
        assert allocator_runs(model, chained=False) == (without.draft_run, without.draft_run_rejected)
    finally:
        model.adapter = before


def test_each_rule_of_drafts_without_u_has_figures_of_its_own(make_model, tmp_path):
    model = make_model(variant="independent", kind="blank", seed=5)
    prompts, samplings = [[3, 4, 5], [6, 7], [8, 9, 10, 11]], [SamplingConfig(0.6)] * 3
    options = {"max_new_tokens": 30, "draft_budget": 9}
    likeliest = calibrate(model, prompts, samplings, **options)
    picked = calibrate(model, prompts, samplings, draft_rule="pick", **options)
    assert likeliest != picked
    config = with_calibration(model.adapter, likeliest, picked=picked)
    assert config.figures() == likeliest.figures
    assert config.figures(draft_rule="pick") == picked.figures
    assert config.figures(chained=False, draft_rule="pick") == picked.figures
    before, model.adapter = model.adapter, config
    try:
        assert allocator_runs(model)[0] == likeliest.draft_run
        assert allocator_runs(model, draft_rule="pick")[0] == picked.draft_run
    finally:
        model.adapter = before


def test_an_adapter_without_a_chain_head_or_measurement_has_one_set_of_figures():
    figures = DraftFigures((0.2,), (0.1,), (1.0, 0.0, 0.0))
    assert AdapterConfig(draft_run=(0.5,), unchained=figures).figures(chained=False).draft_run == (0.5,)
    assert AdapterConfig(draft_run=(0.5,), chain=8).figures(chained=False).draft_run == (0.5,)
    assert AdapterConfig(draft_run=(0.5,), chain=8, unchained=figures).figures(chained=False) == figures
