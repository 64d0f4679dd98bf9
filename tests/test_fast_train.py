"""The training layers of fast_train.py against transformers' own, on the same windows."""

import pytest
import torch
from test_distill import LOSSES, VARIANTS, conversation, windows
from tiny import make_adapter, make_target, make_tokenizer

from ptp_core.distill import distillation_loss, real_rows, window_hidden
from ptp_core.model import PTPModel


def both_ways(model, rows, loss, **config):
    """(loss, gradients of every adapter parameter, hidden states of the real rows) by fast_train and without it."""
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
        assert torch.allclose(mine, theirs, atol=1e-4)
        assert bool(theirs.any())
