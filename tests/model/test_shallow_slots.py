"""Shallow slots: u-slots that enter the target near its end."""

from dataclasses import replace

import pytest
import torch
from support.tiny_model import SHALLOW, make_adapter, make_shallow, make_target, make_tokenizer
from support.windows import conversation

from ptp_core import generate
from ptp_core.model.config import ShallowConfig
from ptp_core.model.ptp_model import PTPModel
from ptp_core.model.shallow_slots import ShallowSlots
from ptp_core.training.shallow import shallow_hidden
from ptp_core.training.windows import WindowConfig, draw_windows


def batch_of(model, seed=0, count=64, length=5):
    row = conversation(model)
    return row, *draw_windows(model, [row], WindowConfig(length, count), torch.Generator().manual_seed(seed))


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


def test_a_target_on_several_devices_goes_without_shallow_slots():
    adapter = make_adapter(shallow=SHALLOW)
    target = make_target()
    assert PTPModel(target, make_tokenizer(), adapter).shallow is not None
    target = make_target()
    target.register_parameter("elsewhere", torch.nn.Parameter(torch.empty(1, device="meta")))
    spread = PTPModel(target, make_tokenizer(), adapter)
    assert spread.shallow is None
    assert any("several devices" in note for note in spread.notes)
