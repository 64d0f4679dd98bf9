"""Inverse autoregressive training: the noise that a text implies under the student itself."""

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer
from support.windows import conversation

from ptp_core import SamplingConfig, pick
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.inverse import draw_inverse_windows, infer_u
from ptp_core.training.losses import distillation_loss
from ptp_core.training.windows import IGNORE, WindowConfig, window_hidden

SHAPES = [{"start_slot": False}, {"start_slot": True}, {"start_slot": False, "anchor": True}]


@pytest.mark.parametrize("order", ["probability", "token_id"])
def test_infer_u_inverts_pick_step_by_step(order):
    """A predictor that depends on every u so far: the same predictor, fed the found u, picks the text back."""
    torch.manual_seed(0)
    table = torch.randn(4, 11)

    def predict(u):
        return table[u.shape[1]] + 3 * torch.sin(7 * u.sum(-1, keepdim=True) + torch.arange(11))

    tokens = torch.randint(0, 11, (40, 4))
    u = infer_u(predict, tokens, order, torch.Generator().manual_seed(1))
    for k in range(4):
        assert torch.equal(pick(predict(u[:, :k]).softmax(-1), u[:, k], order), tokens[:, k])
    wrong = u.clone()
    wrong[:, 0] = 1 - wrong[:, 0]
    assert not torch.equal(pick(predict(wrong[:, :0]).softmax(-1), wrong[:, 0], order), tokens[:, 0])


@pytest.mark.parametrize("order", ["probability", "token_id"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_u_lies_in_the_students_own_bin(make_model, shape, order):
    """Against a slow twin: decode each window draft by draft with draft_logits and Pick."""
    model = make_model(variant="c-ptp", order=order, **shape)
    rows = [conversation(model), conversation(model, seed=60, length=9)]
    settings = WindowConfig(3, 4, order=order)
    batch, _ = draw_inverse_windows(model, rows, settings, torch.Generator().manual_seed(0))
    lead, checked = model.adapter.lead, 0
    for b, row in enumerate(rows):
        for i, start in enumerate(batch.starts[b].tolist()):
            first = [float(batch.u[b, i, 0])] if lead else []
            u = first + batch.own_u[b, i].tolist()
            for k in range(len(u)):
                if start + k >= len(row.ids):
                    assert k < lead or batch.targets[b, i, k - lead] == IGNORE
                    continue
                if k == 0 and lead:
                    logits = model.target_logits(row.ids[:start])[-1]
                else:
                    sampling = SamplingConfig(row.temperature, order=order)
                    logits = model.draft_logits(row.ids[:start], [*u[:k], 0.5], sampling)[-1]
                assert int(pick(logits.softmax(-1), u[k], order)) == row.ids[start + k]
                assert k < lead or batch.targets[b, i, k - lead] == row.ids[start + k]
                checked += 1
    assert checked > 15


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_trainable_part_learns(shape):
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(variant="c-ptp", **shape))
    parameters = model.train_adapter()
    batch, context = draw_inverse_windows(
        model, [conversation(model)], WindowConfig(3, 6), torch.Generator().manual_seed(0)
    )
    distillation_loss(model, batch, window_hidden(model, batch, context), "cross_entropy").backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)


def test_only_c_ptp_learns_without_a_teacher(make_model):
    with pytest.raises(ValueError, match="c-ptp"):
        draw_inverse_windows(make_model(), [conversation(make_model())], WindowConfig(), torch.Generator())


def test_a_tiny_adapter_overfits_one_text_without_a_teacher():
    """Cross-entropy of the drafts falls far below the start's; the target itself stays as it was."""
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(variant="c-ptp", size=0.1))
    frozen = {name: p.clone() for name, p in model.target.named_parameters() if "lora" not in name}
    row, generator = conversation(model), torch.Generator().manual_seed(3)
    optimizer = torch.optim.Adam(model.train_adapter(), lr=1e-2)
    losses = []
    for _ in range(120):
        batch, context = draw_inverse_windows(model, [row], WindowConfig(3, 16), generator)
        loss = distillation_loss(model, batch, window_hidden(model, batch, context), "cross_entropy")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    assert all(torch.equal(p, frozen[name]) for name, p in model.target.named_parameters() if name in frozen)
