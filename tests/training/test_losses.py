import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer
from support.windows import LOSSES, conversation, windows

from ptp_core import NoiseTape, SamplingConfig
from ptp_core.coupling.noise_at import noise_from
from ptp_core.decoding.slots import ChainStart, read_chains, read_slots
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.evaluate import draft_tokens, evaluate
from ptp_core.training.losses import DIRECT_SHARE, disagreement, distillation_loss, divergence, restricted_vocabulary
from ptp_core.training.windows import IGNORE, WindowConfig, chained_hidden, draw_windows, window_hidden


@pytest.mark.parametrize(("variant", "loss"), LOSSES)
def test_a_tiny_model_learns_one_conversation_by_heart(variant, loss):
    kind = "blank" if variant == "independent" else "fourier"
    torch.manual_seed(0)
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(variant=variant, kind=kind, size=0.1))
    row = conversation(model, length=8, temperature=0.0)  # one certain text: every variant can know it
    optimizer = torch.optim.Adam(model.train_adapter(), lr=5e-3)  # faster, the reverse KL can settle on a wrong token
    generator = torch.Generator().manual_seed(0)
    config = WindowConfig(3, 8, 0.5)
    for _ in range(300):
        batch, context = draw_windows(model, [row], config, generator)
        value = distillation_loss(model, batch, window_hidden(model, batch, context), loss, 1.0)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    batch, context = draw_windows(model, [row], config, generator)
    logits = model.logits(window_hidden(model, batch, context))
    valid = batch.targets != IGNORE
    drafted = draft_tokens(logits[valid], batch.own_u[valid], "probability", variant == "o-ptp")
    assert (drafted == batch.targets[valid]).float().mean() == 1.0


def test_only_the_adapter_receives_gradients(make_model):
    model = PTPModel(make_target(), make_tokenizer(), make_adapter())
    parameters = model.train_adapter()
    row = conversation(model)
    batch, context = windows(model, [row])
    distillation_loss(model, batch, window_hidden(model, batch, context)).backward()
    assert all(p.grad is not None for p in parameters)
    frozen = [p for n, p in model.target.named_parameters() if "lora" not in n]
    assert frozen
    assert all(p.grad is None and not p.requires_grad for p in frozen)


def test_losses_by_hand():
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    draft = logits.softmax(-1)[0]
    probs, columns = torch.tensor([[0.75, 0.25]]), torch.tensor([[1, 0]])
    forward = 0.75 * (0.75 / draft[1]).log() + 0.25 * (0.25 / draft[0]).log()
    assert float(divergence(logits, columns, probs, reverse=False)) == pytest.approx(float(forward), abs=1e-5)
    teacher = torch.tensor([0.25, 0.75, 1e-6, 1e-6])
    backward = (draft * (draft / teacher).log()).sum()
    assert float(divergence(logits, columns, probs, reverse=True)) == pytest.approx(float(backward), abs=1e-4)
    same = torch.tensor([[0.1, 0.2, 0.7]])
    assert float(divergence(same.log(), torch.tensor([[0, 1, 2]]), same, reverse=False)) == pytest.approx(0, abs=1e-6)


def test_position_weights_and_the_restricted_vocabulary(make_model):
    model = make_model()
    batch, context = windows(model, [conversation(model)])
    hidden = window_hidden(model, batch, context)
    vocabulary = restricted_vocabulary(batch, model.num_tokens)
    used = {*batch.support.flatten().tolist(), *batch.targets[batch.targets != IGNORE].tolist()}
    assert vocabulary.tolist() == sorted(used)
    assert set(batch.targets[batch.targets != IGNORE].tolist()) <= set(vocabulary.tolist())
    whole = torch.arange(13)
    assert torch.allclose(
        distillation_loss(model, batch, hidden, vocabulary=whole), distillation_loss(model, batch, hidden), atol=1e-5
    )
    near = distillation_loss(model, batch, hidden, decay=1e-6)
    first = type(batch)(**{**batch.__dict__, "targets": batch.targets.clone()})
    first.targets[..., 1:] = IGNORE
    assert torch.allclose(near, distillation_loss(model, first, hidden), atol=1e-4)


VARIANTS = [{"variant": "o-ptp"}, {"variant": "c-ptp"}, {"variant": "c-ptp", "start_slot": True}]


SAMPLING = SamplingConfig()


def test_training_chains_what_decoding_chains(make_model):
    """chained_hidden on a text against read_chains, where the drafts happen to be the text's own tokens."""
    model = make_model(chain=16)
    row = conversation(model)
    batch, context = windows(model, [row])
    hidden = window_hidden(model, batch, context)
    logits = model.logits(chained_hidden(model, batch, hidden))[0]  # (N, L - 1, V)
    followed = 0
    for i, start in enumerate(batch.starts[0].tolist()):
        front, u = (row.ids[start - 1], row.ids[start]), batch.u[0, i, 1:].tolist()
        noise = noise_from(NoiseTape.from_values(u), 0, len(u))
        start = ChainStart(hidden[0, i, 1:], front, batch.settling[0, i], noise)
        drawn = read_chains(model, [start], SAMPLING, argmax=True)[0]
        expected = read_slots(logits[i], noise, SAMPLING, argmax=True)
        for k, (mine, theirs) in enumerate(zip(drawn, expected, strict=True)):
            if batch.targets[0, i, k + 1] == IGNORE:
                break
            assert mine == pytest.approx(theirs, abs=1e-4)
            followed += k > 0
            if mine[0] != int(batch.targets[0, i, k + 1]):
                break  # from here on decoding would follow its own draft
    assert followed > 0


def test_the_loss_is_the_sum_of_both(make_model):
    alone, chained = make_model(), make_model(chain=16)
    batch, context = windows(chained, [conversation(chained)])
    hidden = window_hidden(chained, batch, context)
    direct = distillation_loss(alone, batch, hidden)
    logits = chained.logits(chained_hidden(chained, batch, hidden)).flatten(0, 2)
    targets, weights = batch.targets[..., 1:].flatten(), 0.75 ** torch.arange(3.0).repeat(batch.starts.numel())
    each = torch.nn.functional.cross_entropy(logits, targets, reduction="none", ignore_index=IGNORE)
    weights = weights * (targets != IGNORE)
    expected = DIRECT_SHARE * direct + (each * weights).sum() / weights.sum()
    assert torch.allclose(distillation_loss(chained, batch, hidden), expected, atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_chain_and_the_slots_are_trained_together(changes):
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(chain=16, **changes))
    parameters = model.train_adapter()
    assert {id(p) for p in model.chain.parameters()} <= {id(p) for p in parameters}
    batch, context = windows(model, [conversation(model)])
    chained = chained_hidden(model, batch, window_hidden(model, batch, context))
    chained[..., -1, :].sum().backward()  # the chain's own gradient reaches the delta and the u embedding
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in model.chain.parameters())
    assert any(float(layer.lora_A.grad.abs().sum()) > 0 for layer in model.lora.values())
    assert float(next(iter(model.u_embed.parameters())).grad.abs().sum()) > 0


def test_a_model_that_learned_its_predecessors_accepts_more():
    """A tiny model on three texts, same steps: with the chain its drafts are right more often than without."""
    found = {}
    for chain in (0, 32):
        model = PTPModel(make_target(), make_tokenizer(), make_adapter(chain=chain, size=0.05)).eval()
        rows = [conversation(model, seed=60 * i, temperature=1.0) for i in range(3)]
        optimizer = torch.optim.Adam(model.train_adapter(), 3e-3)
        generator = torch.Generator().manual_seed(0)
        for _ in range(40):
            batch, context = windows(model, rows, generator=int(torch.randint(1 << 30, (1,), generator=generator)))
            optimizer.zero_grad()
            distillation_loss(model, batch, window_hidden(model, batch, context)).backward()
            optimizer.step()
        found[chain] = evaluate(model, rows, length=4)
    assert found[32].tokens_per_call > found[0].tokens_per_call + 0.1
    assert found[32].without_chain is not None
    assert found[0].without_chain is None


def test_total_variation_is_what_the_best_coupling_cannot_agree_on():
    ids = torch.tensor([2, 5, 7])
    odds = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]])
    support, probs = torch.tensor([[5, 2, 0], [9, 7, 2]]), torch.tensor([[0.6, 0.4, 0.0], [0.3, 0.6, 0.1]])
    targets = torch.tensor([5, 9])  # the draft cannot say 9
    found = disagreement(odds.log(), ids, targets, support, probs)
    shared = torch.tensor([0.25 + 0.4, 0.5 + 0.1])
    surprise = torch.tensor([-torch.log(odds[0, 1]), 0.0])
    assert torch.allclose(found, 0.9 * (1 - shared) + 0.1 * surprise, atol=1e-6)
    same = disagreement(odds[:1].log(), ids, targets[:1], ids[None], odds[:1])
    assert torch.allclose(same, 0.1 * surprise[:1], atol=1e-6)
