import threading

import pytest
import torch
from support.calls import IDS, hidden_of
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core import SamplingConfig, warp
from ptp_core.model.ptp_model import PTPModel


@pytest.mark.parametrize("quick", [False, True])
def test_without_slots_the_model_is_exactly_the_frozen_target(make_model, quick):
    plain = make_target()
    plain.set_attn_implementation("eager")
    with torch.inference_mode():
        expected = plain(input_ids=torch.tensor([IDS])).logits[0]
    ours = make_model(quick=quick).target_logits(IDS)
    if quick:  # other kernels, same formulas
        assert torch.allclose(ours, expected, atol=1e-5)
    else:
        assert torch.equal(ours, make_model(adapter=False).target_logits(IDS))
        assert torch.allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("quick", [False, True])
def test_slots_change_no_bit_of_a_real_row_at_a_fixed_shape(make_model, quick):
    a = hidden_of(make_model(quick=quick), IDS, [0.1, 0.9, 0.5], tail=2)
    b = hidden_of(make_model(quick=quick), IDS, [0.7, 0.2, 0.0], tail=2)
    c = hidden_of(make_model(quick=quick, seed=0, size=2.0), IDS, [0.1, 0.9, 0.5], tail=2)  # another adapter
    assert torch.equal(a[:6], b[:6])
    assert torch.equal(a[:6], c[:6])
    assert not torch.equal(a[6:], b[6:])
    assert not torch.equal(a[6:], c[6:])


@pytest.mark.parametrize("quick", [False, True])
def test_slots_leave_real_rows_within_rounding_of_the_call_without_them(make_model, quick):
    with_slots = hidden_of(make_model(quick=quick), IDS, [0.1, 0.9, 0.5])
    assert torch.allclose(with_slots[:6], hidden_of(make_model(quick=quick), IDS), atol=1e-4)


def test_a_slot_sees_the_tokens_before_its_window_only(make_model):
    model = make_model()
    base = hidden_of(model, IDS, [0.1, 0.9], tail=2)[6:]
    after = hidden_of(model, [*IDS[:4], 8, 8], [0.1, 0.9], tail=2)[6:]
    before = hidden_of(model, [8, *IDS[1:]], [0.1, 0.9], tail=2)[6:]
    assert torch.equal(base, after)
    assert not torch.allclose(base, before)


def test_a_slot_sees_earlier_u_but_no_later_one(make_model):
    model = make_model()
    base = hidden_of(model, IDS, [0.1, 0.5, 0.9])[6:]
    later = hidden_of(model, IDS, [0.1, 0.5, 0.2])[6:]
    earlier = hidden_of(model, IDS, [0.3, 0.5, 0.9])[6:]
    assert torch.equal(base[:2], later[:2])
    assert not torch.allclose(base[2], later[2])
    assert not torch.allclose(base[1:], earlier[1:])


def test_the_gate_is_closed_again_even_after_an_error(make_model):
    model = make_model()
    with pytest.raises(Exception):  # noqa: B017 - any error of the forward pass
        model(torch.tensor([IDS]), torch.zeros(1, 2, 7), positions=torch.arange(8), mask=torch.ones(8, 8).bool())
    assert model.gate.first_slot is None


def test_draft_logits_of_every_variant(make_model):
    sampling = SamplingConfig()
    for variant, kind in (("o-ptp", "fourier"), ("c-ptp", "fourier"), ("independent", "blank")):
        model = make_model(variant=variant, kind=kind)
        rows = model.draft_logits(IDS, [0.1, 0.5, 0.9], sampling=sampling)
        assert rows.shape == (3, 13)
        other = model.draft_logits(IDS, [0.2, 0.5, 0.9], sampling=sampling)
        if variant != "o-ptp":  # u_1 is withheld from token 1, whose row is the target's own
            assert torch.equal(rows[0], other[0])
            assert torch.allclose(rows[0].softmax(-1), warp(model.target_logits(IDS)[-1:], sampling)[0])
        assert torch.equal(rows[1], other[1]) == (variant == "independent")


def test_withheld_u_really_is_withheld(make_model):
    model = make_model(variant="c-ptp")
    a = model.draft_logits(IDS, [0.1, 0.5, 0.9])
    b = model.draft_logits(IDS, [0.1, 0.5, 0.3])
    assert torch.equal(a, b)  # the last u decides its own token only, outside the network


def test_without_an_adapter_drafting_says_what_is_missing(make_model):
    with pytest.raises(ValueError, match="has no PTP adapter"):
        make_model(adapter=False).draft_logits(IDS, [0.5])


def test_two_threads_share_a_model_without_mixing_their_slots(make_model):
    model = make_model()
    expected = {u: hidden_of(model, IDS, [u, u]) for u in (0.1, 0.6)}
    wrong = []

    def work(u):
        for _ in range(30):
            if not torch.equal(hidden_of(model, IDS, [u, u]), expected[u]):
                wrong.append(u)

    threads = [threading.Thread(target=work, args=(u,)) for u in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": {"name": "other", "hidden_size": 64}}, "trained for other"),
        ({"target": {"name": "other", "num_layers": 30}}, "num_layers"),
    ],
)
def test_an_adapter_of_another_model_is_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        PTPModel(make_target(), make_tokenizer(), make_adapter(**change))


def test_an_adapter_with_other_layers_is_refused():
    with pytest.raises(ValueError, match="on one side only"):
        PTPModel(make_target(), make_tokenizer(), make_adapter(layers=1))


def test_an_adapter_of_other_weights_of_the_same_size_is_noted():
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(target={"name": "cousin", "sha256": "0"}))
    assert "cousin" in model.notes[0]


def test_a_start_slot_makes_the_first_token_the_drafts_own_and_withholds_its_u(make_model):
    """Row k of the draft reads u_1..u_{k-1} only; row 1 is the learned vector's, not the target's."""
    model = make_model(variant="c-ptp", start_slot=True)
    rows = model.draft_logits([3, 4, 5], [0.2, 0.5, 0.9])
    assert not torch.allclose(rows[0], model.target_logits([3, 4, 5])[-1], atol=1e-3)
    for k in range(3):
        u = [0.2, 0.5, 0.9]
        u[k] = 0.7
        other = model.draft_logits([3, 4, 5], u)
        assert torch.equal(rows[: k + 1], other[: k + 1])
        assert k == 2 or not torch.equal(rows[k + 1], other[k + 1])


def test_an_o_ptp_adapter_has_no_start_slot():
    with pytest.raises(ValueError, match="start slot"):
        make_adapter(variant="o-ptp", start_slot=True)
