"""Pairs of odds along a text."""

from __future__ import annotations

import pytest
import torch
from support.stories import long_story

from ptp_core import SamplingConfig, analysis
from ptp_core.maps.agreement import agreement
from ptp_core.maps.draft_pairs import draft_pairs


def test_pairs_are_the_odds_of_target_and_draft(make_model):
    model = make_model(variant="independent", kind="blank")
    trace = long_story(model, sampling=SamplingConfig(coupling="gumbel"))
    p, q = draft_pairs(model, trace)
    lead = model.adapter.lead
    assert p.shape == q.shape and len(p) == len(trace.tokens) - lead
    assert torch.allclose(p.sum(-1), torch.ones(len(p))) and torch.allclose(q.sum(-1), torch.ones(len(q)))
    for i in (0, 4, 9):
        known = sorted(c.prob for c in trace.emitted[i + lead].candidates)
        assert sorted(p[i][p[i] > 0].tolist()) == pytest.approx(known, abs=1e-5)
        raced = analysis.clock_race(model, trace, i + lead)
        assert float(agreement(p[i : i + 1], q[i : i + 1], "argmax")) == pytest.approx(raced.likeliest, abs=1e-5)


def test_without_an_adapter_there_are_no_pairs(make_model):
    model = make_model(adapter=False)
    with pytest.raises(ValueError, match="adapter"):
        draft_pairs(model, long_story(model))
