"""A row's bits hang on its own text alone; and the rows say what the model says."""

import pytest
import torch
from support.tiny_model import make_tokenizer

from ptp_core import NoiseTape, PTPModel, SamplingConfig
from ptp_core.decoding.engine_calls import EngineCalls
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.decoding.slots import SlotRule, Slots
from ptp_core.decoding.stopwatch import Laps
from ptp_core.engine.engine import Engine
from ptp_core.engine.network import obstacle
from ptp_core.engine.shapes import READ_ROWS, ROWS, columns_for, rows_for
from ptp_core.trace import Draft

IDS = [3, 5, 4, 7, 2, 9, 3, 3]
TEXT = [6, 8, 12, 4, 7, 7, 10, 2]  # behind IDS
OTHER = [2, 2, 5, 11, 3, 9, 4, 4]
DTYPES = (torch.float32, torch.bfloat16)


def a_draft(token):
    return Draft(token, "", 0.5, 0.5, 0.1, "pending")


def calls_of(model, sampling=None, rule=None, **settings):
    sampling, noise = sampling or SamplingConfig(), NoiseTape(3)
    slots = Slots(model, noise, sampling, rule or SlotRule())
    return EngineCalls(model, noise, sampling, DecodeSettings(**settings), slots, 8, 100)


def rows_of(model, before, tokens, spec=()):
    """Logits (len(tokens), V) and the call's reply: of `tokens` in one call, the first one pending."""
    calls = calls_of(model)
    drafts = [a_draft(token) for token in tokens[1:]]
    reply = calls([*before, tokens[0]], drafts, spec, 0, Laps())
    return reply.picked.logits.clone(), reply


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_row_alone_equals_the_same_row_among_others_bit_for_bit(make_pair, dtype):
    model = make_pair(dtype)[1]
    together, _ = rows_of(model, IDS, TEXT)
    with_slots, _ = rows_of(model, IDS, TEXT, [(0, 3), (2, 2), (7, 5)])
    assert torch.equal(together, with_slots), "slots change no bit of a target's row"
    for i in range(len(TEXT)):
        alone, _ = rows_of(model, [*IDS, *TEXT[:i]], TEXT[i : i + 1])
        assert torch.equal(alone[0], together[i])
        foreign, _ = rows_of(model, IDS, [*TEXT[: i + 1], *OTHER[i + 1 :]])
        assert torch.equal(foreign[i], together[i]), "what stands behind a row changes no bit of it"
    other, _ = rows_of(model, IDS, OTHER)
    assert not torch.equal(other, together), "another text has other bits"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_picks_and_candidates_do_not_hang_on_the_rows_beside_them(make_pair, dtype):
    model = make_pair(dtype)[1]
    _, whole = rows_of(model, IDS, TEXT)
    for i in range(len(TEXT)):
        calls = calls_of(model)
        reply = calls([*IDS, *TEXT[:i], TEXT[i]], [], (), i, Laps())
        assert reply.picked.tokens[0] == whole.picked.tokens[i]
        for part in ("tokens", "probs", "right"):
            found, among = getattr(reply.picked.found, part)[0], getattr(whole.picked.found, part)[i]
            assert torch.equal(found, among)


def test_rows_of_tokens_say_what_the_target_says(make_pair):
    plain, model = make_pair()
    found, _ = rows_of(model, IDS, TEXT, [(7, 4)])
    expected = plain.target_logits([*IDS, *TEXT])[len(IDS) :]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"variant": "c-ptp"},
        {"variant": "c-ptp", "start_slot": True, "anchor": True},
        {"anchor": True},
        {"kind": "blank", "variant": "independent"},
    ],
    ids=str,
)
def test_slots_say_what_draft_logits_say(make_pair, changes):
    plain, model = make_pair(**changes)
    _, reply = rows_of(model, IDS, TEXT, [(1, 3), (7, 4)])
    lead = model.adapter.lead
    for i, (assumed, length) in enumerate(reply.answer.spec):
        rows = reply.answer.branch_rows[i]
        text = [*IDS, *TEXT[: 1 + assumed]]
        u = NoiseTape(3).values(assumed, assumed + length + lead)
        expected = plain.draft_logits(text, u[: length + lead], SamplingConfig())[lead:]
        torch.testing.assert_close(reply.answer.slots[rows.start : rows.stop], expected, atol=1e-4, rtol=1e-4)


def test_prompts_are_read_in_pieces(make_pair):
    plain, model = make_pair()
    ids = [2 + (7 * i) % 11 for i in range(READ_ROWS + 9)]
    found, _ = rows_of(model, ids[:-1], ids[-1:])
    torch.testing.assert_close(found[0], plain.target_logits(ids)[-1], atol=1e-4, rtol=1e-4)


def test_shapes_are_few():
    assert {rows_for(count) for count in range(1, ROWS[-1] + 1)} == set(ROWS)
    with pytest.raises(ValueError, match="at most"):
        rows_for(ROWS[-1] + 1)
    for longest in (100, 2048):
        found = {columns_for(length, longest, 64) for length in range(1, longest + 1)}
        assert len(found) <= 5
        assert all(columns_for(length, longest, 64) >= length + 64 for length in range(1, longest + 1))


def test_models_that_it_cannot_run_say_why(make_pair, make_model):
    quick = make_model(quick=True)
    with pytest.raises(ValueError, match="quick=False"):
        Engine(quick)
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=13, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    neo = PTPModel(GPTNeoXForCausalLM(config).eval(), make_tokenizer(), name="neo")
    assert "layout" in obstacle(neo)
    assert obstacle(make_pair()[0]) is None


def test_a_workspace_is_lent_to_one_run_at_a_time(make_pair):
    model = make_pair(chain=0)[1]
    first, second = calls_of(model), calls_of(model)
    assert first.cache is not second.cache
    kept = first.cache
    del first
    assert calls_of(model).cache is kept, "and goes to the next one afterwards"


def test_training_drops_the_engine(make_pair):
    from .conftest import build

    model = build(torch.float32, True, 128)
    model.engine = Engine(model)
    model.train_adapter()
    assert model.engine is None
