"""Drafts without u beside the others, in every map."""

from __future__ import annotations

import pytest
from support.stories import VARIANTS, dense_agreement, long_story
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole

from ptp_core import analysis
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.built_in import BUILT_IN, DEFAULT


def likeliest_without_u(model, trace, position, count):
    """Brute force: the likeliest tokens of slots that all carry 0.5; a token that verification settles is None."""
    ids = [*trace.prompt_tokens, *trace.tokens[:position]]
    lead = model.adapter.lead
    logits = model.draft_logits(ids, [0.5] * count, trace.sampling)
    return [*[None] * lead, *logits[lead:].argmax(-1).tolist()]


BLIND = {**VARIANTS, "independent": {"kind": "blank", "variant": "independent"}}


@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp", "c-ptp-start", "independent"])
def test_the_u_blind_square_is_exact(make_model, variant):
    model = make_model(**BLIND[variant])
    trace = long_story(model)
    square = analysis.unit_square(model, trace, 4)
    found = square.blind
    first, second = likeliest_without_u(model, trace, 4, 2)
    assert {cell.token for column in found.columns for cell in column.cells} == {second}
    assert first is None or [column.token for column in found.columns] == [first]
    assert (square.blind_by.adapter, square.blind_by.trained) == ("tiny-1", variant == "independent")

    def ask(u1, u2):
        column = next(c for c in found.columns if c.left <= u1 < c.right)
        return column.token, next(c.token for c in column.cells if c.bottom <= u2 < c.top)

    second, pair = dense_agreement(model, trace, 4, ask, size=60)
    assert found.agreement.second == pytest.approx(second, abs=0.03)
    assert found.agreement.pair == pytest.approx(pair, abs=0.03)
    assert found.agreement.error == 0


@pytest.mark.parametrize("variant", ["o-ptp", "independent"])
def test_sweep_and_staircase_show_the_draft_without_u(make_model, variant):
    model = make_model(**BLIND[variant])
    trace = long_story(model)
    swept = analysis.sweep(model, trace, 4, 6)
    tokens = likeliest_without_u(model, trace, 4, 3)
    for stretch in swept.blind:
        whole = [stretch.tokens[0] if tokens[0] is None else tokens[0], *tokens[1:]]
        end = next((i for i, token in enumerate(whole) if token in model.eos_tokens), len(whole))
        assert stretch.tokens == whole[: end + 1]
    firsts = [(s.left, s.right, s.tokens[0]) for s in swept.blind]
    own = [(s.left, s.right, s.tokens[0]) for s in swept.target]
    assert firsts == own if tokens[0] is None else len(firsts) == 1
    stairs, lead = analysis.staircase(model, trace, 5), model.adapter.lead
    assert stairs.blind == likeliest_without_u(model, trace, 5 - lead, 1 + lead)[-1]
    chance = {c.token: c.prob for c in stairs.target.candidates}.get(stairs.blind, 0.0)
    assert stairs.blind_agreement == pytest.approx(chance, abs=1e-5)
    assert stairs.blind_by == swept.blind_by


def test_an_adapter_trained_without_u_draws_beside_the_models_own(make_model, tmp_path, monkeypatch):
    """The shipped one, on the same weights, and only there."""
    blind = make_adapter(seed=9, kind="blank", variant="independent", shallow=None, target={"sha256": "these"})
    save_whole(tmp_path / BUILT_IN[DEFAULT].blind_adapter, blind)
    monkeypatch.setattr("ptp_core.maps.blind.adapters_folder", lambda: tmp_path)
    for weights, trained in (("these", True), ("others", False)):
        model = PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny", target_info={"sha256": weights})
        trace = long_story(model.eval())
        square = analysis.unit_square(model, trace, 4)
        assert square.blind_by.trained is trained
        alone = PTPModel(make_target(), make_tokenizer(), blind, name="tiny").eval()
        theirs = likeliest_without_u(alone, trace, 4, 2)[1]
        shown = {cell.token for column in square.blind.columns for cell in column.cells}
        assert (shown == {theirs}) is trained or not trained
