"""Shallow slots: u-slots that enter the target near its end."""

from dataclasses import replace

import pytest
import torch
from support.tiny_model import SHALLOW, make_adapter, make_shallow, make_target, make_tokenizer
from support.windows import conversation

from ptp_core import NoiseTape, SamplingConfig, generate, load_adapter, save_adapter
from ptp_core.decoding.costs import ShallowCosts
from ptp_core.decoding.decode import start_decoding
from ptp_core.decoding.drafters.lookup import find_continuation
from ptp_core.decoding.drafters.shallow import DraftDepth
from ptp_core.model.config import ShallowConfig
from ptp_core.model.kernels.products import Int8Linear
from ptp_core.model.ptp_model import PTPModel
from ptp_core.model.shallow_slots import ShallowSlots
from ptp_core.training.calibrate import calibrate_shallow
from ptp_core.training.evaluate import evaluate
from ptp_core.training.losses import slot_loss
from ptp_core.training.shallow import SHALLOW as SHALLOW_READER
from ptp_core.training.shallow import _entering, frequent_tokens, prepare_shallow, shallow_hidden
from ptp_core.training.windows import IGNORE, WindowConfig, draw_windows

SAMPLING = SamplingConfig()


def batch_of(model, seed=0, count=64, length=5):
    row = conversation(model)
    return row, *draw_windows(model, [row], WindowConfig(length, count), torch.Generator().manual_seed(seed))


def drafts_by_hand(model, ids, noise, first, count):
    """What shallow slots draft behind ids, whose last token a call has just chosen: whole windows, no cache kept."""
    slots = model.shallow
    cache = model.new_cache(len(ids))
    mask = torch.ones(len(ids) - 1, len(ids) - 1, dtype=torch.bool).tril()
    hidden = model(torch.tensor([ids[:-1]]), positions=torch.arange(len(ids) - 1), mask=mask, cache=cache)
    cache.keep(len(ids) - 1)
    text = list(ids)
    for k in range(count):
        u = torch.tensor([[noise.values(first, first + k + 1)]])
        tokens = torch.tensor([[text[len(ids) - 1 :]]])
        places = len(ids) - 1 + torch.arange(k + 1)[None, None]
        seen = torch.ones(1, 1, len(ids) - 1, dtype=torch.bool)
        heat = torch.full_like(u, SAMPLING.temperature)
        rows = slots.windows(u, heat, tokens, hidden[:, -1:], places, seen, cache)
        text.append(int(slots.vocabulary[slots.logits(rows[0, 0, -1]).argmax()]))
    return text[len(ids) :]


def test_decoding_drafts_what_whole_windows_draft(make_model):
    """Every draft of every call, in contexts that the run itself made. Weights are rounded to eight bits where the
    machine multiplies those, so a near tie may fall otherwise: one draft in ten may."""
    model, same, checked = make_model(), 0, 0
    for seed in range(6):
        ids, noise = [3, 4 + seed, 5], NoiseTape(seed)
        trace = generate(model, ids, "shallow", noise, SAMPLING, max_new_tokens=16, draft_budget=3)
        text = []
        for step in trace.steps:
            if step.drafts:
                expected = drafts_by_hand(model, [*ids, *text], noise, len(text), len(step.drafts))
                same += [d.token for d in step.drafts] == expected
                checked += 1
            text += [e.token for e in step.emitted]
    assert checked > 20
    assert same >= 0.9 * checked


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("budget", [0, 1, 3, "auto"])
@pytest.mark.parametrize("method", ["shallow", "shallow_lookup"])
def test_texts_are_those_of_plain_decoding(make_model, method, quick, budget):
    model, accepted = make_model(quick=quick), 0
    for seed in range(12):
        sampling = SamplingConfig((0.7, 0.0, 1.0)[seed % 3])
        ids, noise = [3, 4 + seed % 6], NoiseTape(seed)
        plain = generate(model, ids, "ar", noise, sampling, max_new_tokens=20)
        found = generate(model, ids, method, noise, sampling, max_new_tokens=20, draft_budget=budget)
        assert found.tokens == plain.tokens
        accepted += sum(step.num_accepted for step in found.steps)
        if isinstance(budget, int):
            assert max(len(step.drafts) for step in found.steps) <= budget
    assert (accepted > 0) == (budget != 0) or budget == "auto"


def test_a_stopped_run_leaves_the_model_as_it_was(make_model):
    model = make_model()
    whole = generate(model, [3, 4], "shallow", NoiseTape(1), SAMPLING, max_new_tokens=12, draft_budget=3)
    steps = start_decoding(model, [3, 4], "shallow", NoiseTape(1), SAMPLING, max_new_tokens=12, draft_budget=3)
    next(steps), next(steps)
    steps.close()
    again = generate(model, [3, 4], "shallow", NoiseTape(1), SAMPLING, max_new_tokens=12, draft_budget=3)
    assert again.tokens == whole.tokens
    assert [len(s.drafts) for s in again.steps] == [len(s.drafts) for s in whole.steps]


def test_slots_read_u_the_token_in_front_the_settling_state_and_the_context(make_model):
    model = make_model()
    _, batch, context = batch_of(model)
    with torch.no_grad():
        base = shallow_hidden(model, batch, context)
        other_u = shallow_hidden(model, replace(batch, own_u=1 - batch.own_u), context)
        other_state = shallow_hidden(model, replace(batch, settling=batch.settling.roll(1, 1)), context)
        ids = batch.input_ids.clone()
        ids[0, batch.starts[0, 3] + 1] = 2 + (ids[0, batch.starts[0, 3] + 1] - 1) % 11
        other_token = shallow_hidden(model, replace(batch, input_ids=ids), context)
        context._keys[1][:, :, 0] += 1.0
        other_context = shallow_hidden(model, batch, context)
    for changed in (other_u, other_state, other_context):
        assert not torch.allclose(changed[0, 3, 0], base[0, 3, 0], atol=1e-4)
    assert torch.equal(other_token[0, 3, 0], base[0, 3, 0])  # it comes behind the first draft's own predecessor
    assert not torch.allclose(other_token[0, 3, 1], base[0, 3, 1], atol=1e-4)


def test_nothing_leaks_into_a_slot(make_model):
    """Later tokens of the text, later u's and other windows change nothing."""
    model = make_model()
    _row, batch, context = batch_of(model)
    place, k = int(batch.starts[0, 2]), 1
    with torch.no_grad():
        base = shallow_hidden(model, batch, context)[0, 2, k]
        own_u, ids = batch.own_u.clone(), batch.input_ids.clone()
        own_u[0, 2, k + 2 :] = 0.123
        own_u[0, [i for i in range(own_u.shape[1]) if i != 2]] = 0.321
        ids[0, place + k + 1 :] = 5
        for layer in range(2):
            context._keys[layer][:, :, place:] = 3.0
            context._values[layer][:, :, place:] = 3.0
        found = shallow_hidden(model, replace(batch, own_u=own_u, input_ids=ids), context)[0, 2, k]
    assert torch.allclose(found, base, atol=1e-6)


def test_the_entry_is_least_squares():
    """It explains nearly all of what enters the first layer, the token's embedding; some of what enters the last."""
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(shallow=replace(SHALLOW, depth=2)), name="tiny")
    rows = [conversation(model)]
    explained = prepare_shallow(model, rows)
    assert explained > 0.9  # what enters the first layer is the token's embedding, normalised in the entry
    tokens, _settling, entering = _entering(model, rows[0].ids)
    assert torch.allclose(entering, tokens, atol=1e-5)
    one = PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny")
    assert 0 < prepare_shallow(one, rows) <= 1
    with torch.no_grad():
        noise = one.shallow.enter(*_entering(one, rows[0].ids)[:2], torch.rand(len(tokens)), 0.7)
    assert torch.isfinite(noise).all()


def test_the_vocabulary_is_what_the_texts_say_most():
    found = frequent_tokens([[7, 7, 7, 3, 3, 9], [7, 5]], 4, [0], 12)
    assert found.tolist() == [0, 3, 5, 7]  # of 5 and 9, said once each, the lower
    assert frequent_tokens([[7]], 4, [], 12).tolist() == [0, 1, 2, 7]


def test_shallow_slots_learn_a_text_by_heart():
    model = PTPModel(
        make_target(), make_tokenizer(), make_adapter(shallow=replace(SHALLOW, vocabulary=13)), name="tiny"
    )
    row = conversation(model)
    before = [p.clone() for p in model.lora["model.layers.0.mlp.up_proj"].parameters()]
    optimizer = torch.optim.Adam(model.train_adapter(["shallow"]), 1e-2)
    for step in range(150):
        batch, context = draw_windows(model, [row], WindowConfig(4, 64), torch.Generator().manual_seed(step % 4))
        loss = slot_loss(model, batch, shallow_hidden(model, batch, context), 1, "cross_entropy", 1.0, None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        batch, context = draw_windows(model, [row], WindowConfig(4, 64), torch.Generator().manual_seed(2))
        logits = model.shallow.logits(shallow_hidden(model, batch, context))
    targets = batch.targets[..., 1:]
    valid = targets != IGNORE
    assert (logits.argmax(-1)[valid] == targets[valid]).float().mean() > 0.97
    assert all(
        torch.equal(a, b) for a, b in zip(before, model.lora["model.layers.0.mlp.up_proj"].parameters(), strict=True)
    )
    trained = generate(model, row.ids[: row.p], "shallow", NoiseTape(0), SAMPLING, max_new_tokens=8, draft_budget=3)
    assert trained.tokens == generate(model, row.ids[: row.p], "ar", NoiseTape(0), SAMPLING, max_new_tokens=8).tokens


def test_evaluation_drafts_with_shallow_slots(make_model):
    model = make_model()
    found = evaluate(model, [conversation(model)], reader=SHALLOW_READER, tokens=12)
    assert found.without_chain is None
    assert len(found.draft_run) == 4  # of a window of four
    assert found.slot_accuracy[0] == 1.0  # the settled token
    assert 1 <= found.tokens_per_call < 5


def test_shallow_slots_are_saved_and_loaded(tmp_path):
    adapter = make_adapter()
    save_adapter(tmp_path / "a", adapter.config, adapter.lora, adapter.u_embed, adapter.chain, adapter.shallow)
    found = load_adapter(tmp_path / "a")
    assert found.config.shallow == replace(SHALLOW, u_embedding=dict(SHALLOW.u_embedding))
    assert all(torch.equal(found.shallow[k], v.to(found.shallow[k].dtype)) for k, v in adapter.shallow.items())
    with pytest.raises(ValueError, match="configuration or its weights only"):
        save_adapter(tmp_path / "b", adapter.config, adapter.lora, adapter.u_embed)
    (tmp_path / "a" / "shallow.safetensors").unlink()
    with pytest.raises(ValueError, match=r"shallow\.safetensors missing"):
        load_adapter(tmp_path / "a")
    bare = make_adapter(shallow=None)
    save_adapter(tmp_path / "a", bare.config, bare.lora, bare.u_embed)
    assert load_adapter(tmp_path / "a").config.shallow is None


def test_what_does_not_fit_is_refused(make_model):
    target = make_target()
    with pytest.raises(ValueError, match="want the last 5"):
        ShallowSlots(replace(SHALLOW, depth=5), target)
    with pytest.raises(ValueError, match="larger than the target's"):
        ShallowSlots(replace(SHALLOW, vocabulary=14), target)
    with pytest.raises(ValueError, match="1 or more"):
        ShallowConfig(depth=0)
    with pytest.raises(ValueError, match="Unknown u embedding"):
        ShallowConfig(u_embedding={"kind": "dice"})
    broken = make_adapter()
    with pytest.raises(ValueError, match="shallow slots does not fit"):
        PTPModel(target, make_tokenizer(), replace(broken, shallow=make_shallow(replace(SHALLOW, rank=2))), name="tiny")
    with pytest.raises(ValueError, match="no shallow slots"):
        generate(make_model(shallow=None), [3], "shallow", max_new_tokens=3)
    with pytest.raises(ValueError, match="no PTP adapter"):
        generate(make_model(adapter=False), [3], "shallow", max_new_tokens=3)


def test_drafting_stops_where_it_no_longer_pays():
    costs = ShallowCosts(call=10.0, row=0.5, draft=1.0)
    depth = DraftDepth((0.5, 0.25, 0.125), 4, 0, costs)
    assert depth.pays([])
    assert depth.pays([0.9, 0.9])
    assert not depth.pays([0.2])  # 0.2 x 0.5 tokens at some 7 ms are worth less than 1.5 ms
    assert not depth.pays([0.99] * 4)  # no more than a window
    assert not DraftDepth((0.1,), 4, 0, costs).pays([])
    fixed = DraftDepth((0.1,), 4, 2, None)
    assert [fixed.pays([0.0] * n) for n in range(4)] == [True, True, False, False]


def test_drafting_learns_what_comes_true():
    costs = ShallowCosts(call=10.0, row=0.5, draft=1.0)
    unlucky, lucky = DraftDepth((0.4, 0.1), 4, 0, costs), DraftDepth((0.1, 0.02), 4, 0, costs)
    assert unlucky.pays([])
    assert not lucky.pays([])
    for _ in range(40):
        unlucky.observe([None], accepted=0, emitted=1, call_ms=10.5, draft_ms=1.0)
        lucky.observe([None, None], accepted=2, emitted=3, call_ms=11.0, draft_ms=2.0)
    assert not unlucky.pays([])
    assert lucky.pays([])
    assert lucky.rate(0) > 0.8
    assert unlucky.rate(1) == pytest.approx(0.25)  # never reached, so as it was


def test_drafting_learns_what_things_cost():
    """Costs that were measured on a busy machine lose their say: here drafts are ten times as cheap as they seemed."""
    depth = DraftDepth((0.3, 0.1), 4, 0, ShallowCosts(call=10.0, row=0.1, draft=5.0))
    assert not depth.pays([])
    for _ in range(40):
        depth.observe([None], accepted=0, emitted=1, call_ms=10.0, draft_ms=0.5)
        depth.observe([None], accepted=1, emitted=2, call_ms=10.0, draft_ms=0.5)
    assert depth.pays([])


def test_the_first_draft_is_looked_up_where_that_promises_more():
    depth = DraftDepth((0.4, 0.1), 4, 0, ShallowCosts(call=10.0, row=0.3, draft=1.0))
    assert not depth.lookup_leads(0)
    assert not depth.lookup_leads(1)
    assert depth.lookup_leads(3)
    for _ in range(60):
        depth.observe([3], accepted=0, emitted=1, call_ms=10.0, draft_ms=0.0)
    assert not depth.lookup_leads(3)
    assert depth.lookup_pays([0.9], 4)
    assert not depth.lookup_pays([0.01], 4)
    assert not depth.lookup_pays([0.9] * 4, 4)  # no more than a window


def test_lookup_goes_on_where_the_text_repeats_itself(make_model):
    """Looked-up drafts are the ones behind the last words' earlier place; the text is that of plain decoding."""
    model, looked, accepted = make_model(), 0, 0
    for seed in range(12):
        ids, noise = [3, 4, 5, 6, 7, 8, 3, 4, 5, 6, 7, 8, 3, 4], NoiseTape(seed)
        plain = generate(model, ids, "ar", noise, SAMPLING, max_new_tokens=24)
        for budget in (4, "auto"):
            found = generate(model, ids, "shallow_lookup", noise, SAMPLING, max_new_tokens=24, draft_budget=budget)
            assert found.tokens == plain.tokens
            text = [*ids]
            for step in found.steps:
                drafts = [d.token for d in step.drafts]
                ahead = find_continuation(text, 4)
                looked += bool(drafts) and drafts == ahead[: len(drafts)] and len(drafts) > 1
                accepted += step.num_accepted
                text += [e.token for e in step.emitted]
    assert looked > 20
    assert accepted > 10


def test_calibration_measures_shallow_drafts(make_model):
    model = make_model()
    found = calibrate_shallow(model, [[3, 4], [5, 6, 7]] * 4, [SAMPLING] * 8, max_new_tokens=16)
    assert len(found.draft_run) == 4
    assert found.drafts > 20
    assert model.shallow.config.confidence is None  # put back


def test_eight_bits_say_nearly_the_same():
    draw = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(64, 32, generator=draw), torch.randn(64, generator=draw)
    x = torch.randn(1, 32, generator=draw).bfloat16()
    if not Int8Linear.suits(weight):
        pytest.skip("this machine has no product with eight-bit weights")
    exact = x.float() @ weight.t() + bias
    assert (Int8Linear(weight, bias)(x).float() - exact).norm() < 0.02 * exact.norm()


def test_a_target_on_several_devices_goes_without_shallow_slots():
    adapter = make_adapter(shallow=SHALLOW)
    target = make_target()
    assert PTPModel(target, make_tokenizer(), adapter).shallow is not None
    target = make_target()
    target.register_parameter("elsewhere", torch.nn.Parameter(torch.empty(1, device="meta")))
    spread = PTPModel(target, make_tokenizer(), adapter)
    assert spread.shallow is None
    assert any("several devices" in note for note in spread.notes)
