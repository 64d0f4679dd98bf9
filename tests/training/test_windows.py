import itertools

import pytest
import torch
from support.windows import VARIANTS, conversation, windows

from ptp_core import SamplingConfig, pick, warp
from ptp_core.training.windows import IGNORE, sample_beta, window_hidden


@pytest.mark.parametrize("order", ["probability", "token_id"])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp"])
def test_u_lies_in_the_teachers_bin_of_the_token_that_was_said(make_model, variant, order, temperature):
    """Against a slow twin: Pick on the dense warped distribution, token by token."""
    model = make_model(variant=variant, order=order)
    row = conversation(model, temperature=temperature)
    batch, _ = windows(model, [row], order=order)
    probs = warp(model.target_logits(row.ids), SamplingConfig(temperature, order=order))
    checked = 0
    for i, j in itertools.product(*map(range, batch.u.shape[1:])):
        place = int(batch.starts[0, i]) + j  # position of the token whose u the slot carries
        if place < len(row.ids):
            u = batch.u[0, i, j]
            left_of_it = int(pick(probs[place - 1], float(u), order))
            assert left_of_it == row.ids[place]
            checked += 1
        target = place + model.adapter.lead
        if batch.targets[0, i, j] != IGNORE:
            assert batch.targets[0, i, j] == row.ids[target]
            assert int(pick(probs[target - 1], float(batch.own_u[0, i, j]), order)) == row.ids[target]
            dense = torch.zeros(13).scatter_add(0, batch.support[0, i, j], batch.probs[0, i, j])
            assert torch.allclose(dense, probs[target - 1], atol=1e-5)
        else:
            assert target >= len(row.ids)
    assert checked > 10


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_training_windows_compute_what_decoding_computes(make_model, changes):
    """The slots' logits of a window are draft_logits of the same prefix and noise."""
    model = make_model(**changes)
    row = conversation(model)
    batch, context = windows(model, [row])
    logits = model.logits(window_hidden(model, batch, context))
    for i, start in enumerate(batch.starts[0].tolist()):
        lead = model.adapter.lead
        u = [*batch.u[0, i].tolist(), 0.5][: 4 + lead]  # the last one is withheld from a c-ptp draft
        ids, sampling = row.ids[:start], SamplingConfig(row.temperature)
        expected = model.draft_logits(ids, u, sampling=sampling)[lead:]
        assert torch.allclose(logits[0, i], expected, atol=1e-4)


def test_windows_of_several_sequences_are_those_of_each_alone(make_model):
    model = make_model()
    rows = [conversation(model), conversation(model, seed=60, temperature=0.0, length=12)]
    batch, context = windows(model, rows)
    together = model.logits(window_hidden(model, batch, context))
    for b, row in enumerate(rows):
        for i, start in enumerate(batch.starts[b].tolist()):
            if (batch.targets[b, i] == IGNORE).all():
                continue
            u, sampling = batch.u[b, i].tolist(), SamplingConfig(row.temperature)
            assert torch.allclose(together[b, i], model.draft_logits(row.ids[:start], u, sampling=sampling), atol=1e-4)


def test_masks_leak_neither_later_tokens_nor_other_windows(make_model):
    model = make_model()
    row = conversation(model)
    batch, context = windows(model, [row], count=3)
    base = window_hidden(model, batch, context)
    first = int(batch.starts[0, 0])

    changed = batch.input_ids.clone()
    changed[0, first:] = 2  # every token behind the first window's start
    other = model.new_cache(changed.shape[1])
    mask = torch.ones(changed.shape[1], changed.shape[1], dtype=torch.bool).tril()
    with torch.no_grad():
        model(changed, positions=torch.arange(changed.shape[1]), mask=mask, cache=other)
    other.keep(changed.shape[1])
    assert torch.equal(window_hidden(model, batch, other)[0, 0], base[0, 0])
    assert not torch.equal(window_hidden(model, batch, other)[0, 2], base[0, 2])

    u = batch.u.clone()
    u[0, 1] = 0.123  # another window's noise
    moved = window_hidden(model, type(batch)(**{**batch.__dict__, "u": u}), context)
    assert torch.equal(moved[0, [0, 2]], base[0, [0, 2]])
    assert not torch.equal(moved[0, 1], base[0, 1])


def test_withheld_u_has_no_gradient(make_model):
    """c-ptp: no slot's output depends on the u of the token that it predicts."""
    for variant, depends in (("c-ptp", False), ("o-ptp", True)):
        model = make_model(variant=variant)
        row = conversation(model)
        batch, context = windows(model, [row], count=1)
        u = batch.u.clone().requires_grad_()
        hidden = window_hidden(model, type(batch)(**{**batch.__dict__, "u": u}), context)
        hidden[0, 0, 1].sum().backward()  # the second slot: carries u_2, predicts token 2 (o) or 3 (c)
        predicted = 1 + model.adapter.lead
        gradient = u.grad[0, 0]
        assert bool(gradient[1] != 0)
        assert bool(gradient[2:].abs().sum() == 0)
        assert (predicted < 4 and bool(gradient[predicted] != 0)) == depends


def test_beta_draws_have_the_right_moments():
    for beta in (0.3, 0.5, 1.0):
        draws = sample_beta(beta, 40_000, torch.Generator().manual_seed(1))
        variance = 1 / (4 * (2 * beta + 1))
        assert float(draws.mean()) == pytest.approx(0.5, abs=0.01)  # 4 standard errors and more
        assert float(draws.var()) == pytest.approx(variance, rel=0.03)
    with pytest.raises(ValueError, match="beta"):
        sample_beta(2.0, 3, torch.Generator())


def test_focus_draws_starts_where_the_teacher_was_surprised(make_model):
    """Over 200 seeded draws the mean surprise of the tokens behind the starts grows; without focus it is the text's."""
    model = make_model()
    row = conversation(model, temperature=1.0, length=40)
    probs = warp(model.target_logits(row.ids), SamplingConfig(1.0))
    surprise = torch.tensor([1 - float(probs[i - 1, row.ids[i]]) for i in range(row.p, len(row.ids))])

    def mean_surprise(focus):
        drawn = [windows(model, [row], generator=g, count=6, focus=focus)[0].starts[0] for g in range(200)]
        assert all(len(set(starts.tolist())) == len(starts) for starts in drawn)
        behind = torch.cat(drawn) - row.p + 1
        return float(surprise[behind[behind < len(surprise)]].mean())

    even, focused = mean_surprise(0.0), mean_surprise(0.9)
    assert even == pytest.approx(float(surprise[1:].mean()), abs=0.03)  # 1,200 draws: 3 standard errors and more
    assert focused > even + 0.05
