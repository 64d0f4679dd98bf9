"""The chain head: drafts that are told their predecessors."""

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole
from support.windows import conversation, windows

from ptp_core import NoiseTape, SamplingConfig, generate, load_adapter, save_adapter
from ptp_core.benchmark.config import BenchConfig, parse_sweep
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.runner import Lineup, run_bench
from ptp_core.decoding.slots import ChainStart, read_chains, read_slots
from ptp_core.model.chain_head import ChainHead, PackedChain
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.evaluate import draft_tokens, evaluate
from ptp_core.training.losses import DIRECT_SHARE, distillation_loss
from ptp_core.training.windows import IGNORE, chained_hidden, window_hidden

VARIANTS = [{"variant": "o-ptp"}, {"variant": "c-ptp"}, {"variant": "c-ptp", "start_slot": True}]
SAMPLING = SamplingConfig()


def slow_chain(model, ids, u, count):
    """By whole forward passes: the token that the target picks after `ids`, and the drafts behind it.

    u holds the u's of the settled token and of the `count` drafts."""
    settled = generate(model, ids, "ar", NoiseTape.from_values(u), SAMPLING, max_new_tokens=1).tokens[0]
    config = model.adapter
    carried = torch.tensor(u[: len(u) - config.lead])
    slots = model.embed_slots(carried, SAMPLING.temperature, torch.tensor([0]), torch.tensor(ids[-1:]))
    hidden = model._hidden(ids, slots)[0]
    settling, behind = hidden[len(ids) - 1], hidden[len(ids) + config.num_settled :]
    text, drafts = [*ids, settled], []
    for row, value in zip(behind[:count], u[1:], strict=False):
        logits = model.logits(model.chained(row[None], torch.tensor([text[-2:]]), settling[None]))
        drafts.append(int(draft_tokens(logits, torch.tensor([value]), config.order, config.variant == "o-ptp")))
        text.append(drafts[-1])
    return settled, drafts


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_decoding_drafts_what_a_chain_by_hand_drafts(make_model, changes):
    """Every draft of every call, in contexts that the run itself made, against whole passes without a cache."""
    model, checked = make_model(chain=16, **changes), 0
    for seed in range(6):
        ids, noise = [3, 4 + seed, 5], NoiseTape(seed)
        trace = generate(model, ids, "pqd", noise, SAMPLING, max_new_tokens=16, draft_budget=12)
        text, drafts = [], []
        for step in trace.steps:
            assert [d.token for d in step.drafts] == drafts
            before = [*ids, *text, *(d.token for d in step.drafts[: step.num_accepted])]
            text += [e.token for e in step.emitted]
            kept = next((b for b in step.branches if b.kept), None)
            drafts = [d.token for d in kept.drafts[model.adapter.num_settled :]] if kept else []
            if drafts:
                start = len(text) - 1
                u = noise.values(start, start + 1 + len(drafts))
                settled, expected = slow_chain(model, before, u, len(drafts))
                assert settled == text[-1]
                assert drafts == expected
                checked += len(drafts)
    assert checked > 20


def test_the_chain_reads_its_predecessors_and_the_settling_state(make_model):
    model = make_model(chain=16)
    draw = torch.Generator().manual_seed(0)
    slots, settling = torch.randn(2, 3, 32, generator=draw)
    before = torch.tensor([[2, 3], [4, 5], [6, 7]])
    base = model.chain_logits(slots, before, settling)
    for changed in (
        model.chain_logits(slots, before.clone().index_fill_(1, torch.tensor([0]), 9), settling),
        model.chain_logits(slots, before.clone().index_fill_(1, torch.tensor([1]), 9), settling),
        model.chain_logits(slots, before, settling.flip(0)),
        model.chain_logits(slots.flip(0), before, settling),
    ):
        assert not torch.allclose(changed[0], base[0], atol=1e-3)


def test_chains_side_by_side_are_those_of_each_alone(make_model):
    model = make_model(chain=16)
    draw = torch.Generator().manual_seed(3)
    starts = [
        ChainStart(
            torch.randn(n, 32, generator=draw), (2 + n, 3), torch.randn(32, generator=draw), [0.1 * k for k in range(n)]
        )
        for n in (3, 0, 1, 5)
    ]
    together = read_chains(model, starts, SAMPLING, argmax=True)
    assert [len(drawn) for drawn in together] == [3, 0, 1, 5]
    for start, drawn in zip(starts, together, strict=True):
        alone = read_chains(model, [start], SAMPLING, argmax=True)[0]
        assert [token for token, _, _ in drawn] == [token for token, _, _ in alone]
    assert read_chains(model, [], SAMPLING, argmax=True) == []


def test_a_fresh_chain_changes_nothing(make_model):
    chain, model = ChainHead(32, 16), make_model()
    slots = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(chain(slots, torch.randn(4, 2, 32), torch.randn(4, 32)), slots)
    with pytest.raises(ValueError, match="no chain head"):
        model.chained(slots, torch.zeros(4, 2, dtype=torch.long), slots)


def test_the_packed_chain_says_nearly_the_same(make_model):
    model = make_model(chain=16)
    draw = torch.Generator().manual_seed(2)
    slots, settling = torch.randn(2, 40, 32, generator=draw)
    before = torch.randint(2, 13, (40, 2), generator=draw)
    with torch.inference_mode():
        exact = model.logits(model.chained(slots, before, settling))
        packed = PackedChain(model.chain, model.target.lm_head)(slots, model._embed(before), settling)
    assert torch.allclose(packed, exact, atol=0.05 * float(exact.abs().max()))
    assert (packed.argmax(-1) == exact.argmax(-1)).float().mean() > 0.9


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
        start = ChainStart(hidden[0, i, 1:], front, batch.settling[0, i], u)
        drawn = read_chains(model, [start], SAMPLING, argmax=True)[0]
        expected = read_slots(logits[i], u, SAMPLING, argmax=True)
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


def test_on_disk(tmp_path):
    adapter = make_adapter(chain=16)
    save_whole(tmp_path / "a", adapter)
    read = load_adapter(tmp_path / "a")
    assert read.config.chain == 16
    assert all(read.chain[name].equal(tensor) for name, tensor in adapter.chain.items())
    model = PTPModel(make_target(), make_tokenizer(), read)
    for method in ("ptp", "pqd", "independent"):
        options = {"noise": NoiseTape(1), "sampling": SAMPLING, "max_new_tokens": 12}
        assert generate(model, [3, 4], method, **options).tokens == generate(model, [3, 4], "ar", **options).tokens

    (tmp_path / "a" / "chain.safetensors").unlink()
    with pytest.raises(ValueError, match=r"chain\.safetensors missing"):
        load_adapter(tmp_path / "a")
    with pytest.raises(ValueError, match="chain head in its"):
        save_adapter(tmp_path / "b", adapter.config, adapter.lora, adapter.u_embed, shallow=adapter.shallow)
    bare = make_adapter()
    save_whole(tmp_path / "a", bare)
    assert not (tmp_path / "a" / "chain.safetensors").exists()


def test_a_chain_of_another_width_is_refused():
    adapter = make_adapter(chain=16)
    wrong = type(adapter)(adapter.config, adapter.lora, adapter.u_embed, "", make_adapter(chain=8).chain)
    with pytest.raises(ValueError, match="chain head does not fit"):
        PTPModel(make_target(), make_tokenizer(), wrong)


def test_the_chain_can_be_left_aside(make_model):
    """Then drafts are those of the same adapter without a chain head, and the text is the same either way."""
    model, bare = make_model(chain=16), make_model()
    options = {"noise": NoiseTape(3), "sampling": SAMPLING, "max_new_tokens": 24, "draft_budget": 12}

    def drafted(model, **more):
        trace = generate(model, [3, 4], "pqd", **options, **more)
        return trace.tokens, [[d.token for d in step.drafts] for step in trace.steps]

    text, drafts = drafted(model, chained=False)
    assert (text, drafts) == drafted(bare)
    assert drafted(model)[0] == text
    assert drafted(model)[1] != drafts


def test_a_benchmark_sweeps_over_the_chain(make_model):
    config = BenchConfig(("ar", "ptp", "pqd"), max_new_tokens=16, draft_budget=9, sweep=parse_sweep("chained=0,1"))
    rows = run_bench(Lineup(make_model(chain=16)), [Question("1", "a", "abc"), Question("2", "a", "hg fe")], config)
    assert {(row.method, row.point) for row in rows} == {
        ("ar", ""), ("ptp", "chained=0"), ("pqd", "chained=0"), ("ptp", "chained=1"), ("pqd", "chained=1"),
    }  # fmt: skip
    assert all(row.identical_to_ar for row in rows)
    drafts = {
        point: [c.right for r in rows if r.point == point for c in r.calls] for point in ("chained=0", "chained=1")
    }
    assert drafts["chained=0"] != drafts["chained=1"]
    with pytest.raises(ValueError, match="chained"):
        BenchConfig(chained=2)
