import pytest
import torch

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.coupling.noise_at import noise_from
from ptp_core.decoding.slots import ChainStart, read_chains
from ptp_core.training.evaluate import draft_tokens

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


def test_chains_side_by_side_are_those_of_each_alone(make_model):
    model = make_model(chain=16)
    draw = torch.Generator().manual_seed(3)
    starts = [
        ChainStart(
            torch.randn(n, 32, generator=draw),
            (2 + n, 3),
            torch.randn(32, generator=draw),
            noise_from(NoiseTape(n), 0, n),
        )
        for n in (3, 0, 1, 5)
    ]
    together = read_chains(model, starts, SAMPLING, argmax=True)
    assert [len(drawn) for drawn in together] == [3, 0, 1, 5]
    for start, drawn in zip(starts, together, strict=True):
        alone = read_chains(model, [start], SAMPLING, argmax=True)[0]
        assert [token for token, _, _ in drawn] == [token for token, _, _ in alone]
    assert read_chains(model, [], SAMPLING, argmax=True) == []


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
