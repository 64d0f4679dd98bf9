"""The training layers against transformers' own, on the same windows."""

from dataclasses import replace

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer
from support.windows import LOSSES, VARIANTS, conversation, windows
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from ptp_core.model.config import LoraConfig
from ptp_core.model.parts import new_adapter
from ptp_core.model.ptp_model import PTPModel, attention
from ptp_core.training.losses import distillation_loss
from ptp_core.training.windows import real_rows, window_hidden

GPT_NEOX_LINEAR = ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")


def both_ways(model, rows, loss, **config):
    """(loss, gradients of every adapter parameter, hidden states of the real rows) lean and plain."""
    parameters, found = model.train_adapter(), []
    lean = model._lean
    assert lean is not None
    batch, _ = windows(model, rows, **config)
    for layers in (lean, None):
        model._lean = layers
        _, context, hidden = real_rows(model, rows)
        value = distillation_loss(model, batch, window_hidden(model, batch, context), loss)
        found.append((value.detach(), torch.autograd.grad(value, parameters), hidden))
    return found


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_loss_and_every_gradient_are_those_of_the_plain_layers(changes):
    loss = dict(LOSSES)[changes["variant"]]
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(**changes))
    rows = [conversation(model), conversation(model, seed=60, temperature=0.0, length=12)]
    (value, gradients, hidden), (plain, expected, plain_hidden) = both_ways(model, rows, loss)
    assert torch.allclose(hidden, plain_hidden, atol=1e-4)
    assert float(value) == pytest.approx(float(plain), abs=1e-4)
    for mine, theirs in zip(gradients, expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-4)
        assert bool(theirs.any())


def test_joined_weights_are_held_once_and_the_target_stays_as_it_was():
    model = PTPModel(make_target(), make_tokenizer(), make_adapter())
    plain = {name: p.clone() for name, p in model.target.named_parameters() if "lora" not in name}
    model.train_adapter()
    inner = model.target.model.layers[0].self_attn
    parts = [inner.get_submodule(name).base.weight for name in ("q_proj", "k_proj", "v_proj")]
    assert len({part.untyped_storage().data_ptr() for part in parts}) == 1
    frozen = [(name, p) for name, p in model.target.named_parameters() if name in plain]
    assert all(torch.equal(p, plain[name]) and not p.requires_grad for name, p in frozen)
    assert len(frozen) == len(plain)


def test_a_layer_that_computes_otherwise_keeps_its_own_code():
    """A residual that is scaled, an adapter on two of three layers with one input, a target of another layout."""
    scaled = PTPModel(make_target(), make_tokenizer(), make_adapter())
    scaled.target.model.layers[1].mlp.register_forward_hook(lambda module, given, out: 0.5 * out)
    scaled.train_adapter()
    assert scaled._lean is None

    whole = make_adapter()
    config = replace(whole.config, lora=replace(whole.config.lora, target_modules=("q_proj", "v_proj")))
    lora = {name: pair for name, pair in whole.lora.items() if name.endswith(("q_proj", "v_proj"))}
    partial = PTPModel(make_target(), make_tokenizer(), replace(whole, config=config, lora=lora))
    parameters = partial.train_adapter()
    assert partial._lean is None
    batch, context = windows(partial, [conversation(partial)])
    distillation_loss(partial, batch, window_hidden(partial, batch, context)).backward()
    assert all(p.grad is not None for p in parameters)

    torch.manual_seed(0)
    sizes = {"vocab_size": 13, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    neox = GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, num_attention_heads=4)).eval()
    neox.set_attn_implementation(attention.NAME)
    config = replace(whole.config, lora=LoraConfig(4, 8.0, GPT_NEOX_LINEAR), shallow=None, parallel=None)
    other = PTPModel(neox, make_tokenizer(), new_adapter(neox, config))
    other.train_adapter()
    assert other._lean is None
