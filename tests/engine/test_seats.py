"""Many texts at once, in seats: the texts are those that plain decoding writes one by one."""

import random

import pytest
import torch
from support.emulated_graph import emulated_graph
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.engine.many_texts import columns_of_texts, read_width
from ptp_core.engine.pen import Pen
from ptp_core.engine.seats import LOOK_EVERY, Rules, Text
from ptp_core.model import attention
from ptp_core.model.ptp_model import PTPModel
from ptp_core.sampling import _sorted_by_keys, candidates, candidates_by_row
from ptp_core.training.batch_sampling import Request, complete

from .conftest import build, make_tokenizer

KINDS = {
    "usual": SamplingConfig(0.7, 8, 0.95),
    "token ids": SamplingConfig(0.7, 8, 0.9, "token_id"),
    "top-p alone": SamplingConfig(1.0, 0, 0.9),
    "unfiltered": SamplingConfig(1.0, 0, 1.0),
    "reference": SamplingConfig(0.7, 8, 0.9, filter="reference"),
    "race": SamplingConfig(0.7, 8, 0.95, coupling="gumbel"),
}
LENGTHS = (1, 2, 5, 63, 64, 65, 66, 130)  # prompts are read in steps of 64, but for their last token


def requests_of(sampling, count, seed=1, most=40):
    draw = random.Random(seed)
    temperatures = (0.0, 0.3, sampling.temperature, 1.3)
    return [
        Request(
            [draw.randint(2, 12) for _ in range(draw.choice(LENGTHS))],
            SamplingConfig(**{**sampling.to_json(), "temperature": draw.choice(temperatures)}),
            draw.randint(1, most), i,
        )
        for i in range(count)
    ]  # fmt: skip


def one_by_one(model, requests):
    return [
        generate(model, r.prompt, "ar", NoiseTape(r.seed), r.sampling, max_new_tokens=r.limit, details=False).tokens
        for r in requests
    ]


def texts_of(requests):
    return [Text(r.prompt, r.sampling.temperature, r.limit, NoiseTape(r.seed)) for r in requests]


@pytest.fixture(scope="module")
def model():
    return build(torch.float32, True, 256)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_one_by_one(model, kind):
    """More texts than seats, of many lengths: they take turns in the seats, and some are moved at the end."""
    requests, heard = requests_of(KINDS[kind], 24), []
    expected = one_by_one(model, requests)
    assert len({len(tokens) for tokens in expected}) > 5
    for batch_size in (3, 64):
        heard.clear()
        assert complete(model, requests, batch_size, seated=True, report=heard.append) == expected
        assert sum(heard) == sum(len(tokens) for tokens in expected)


def test_texts_move_together_when_few_are_left(model, monkeypatch):
    monkeypatch.setattr("ptp_core.engine.seats._FEWEST", 2)
    requests = requests_of(KINDS["usual"], 40)
    assert complete(model, requests, 32, seated=True) == one_by_one(model, requests)


def test_without_stop_no_text_ends_early(model):
    requests = [Request([3, 4], SamplingConfig(2.0, 0, 1), 40, i) for i in range(6)]
    found = complete(model, requests, 4, stop=False, seated=True)
    assert all(len(tokens) == 40 and 0 not in tokens for tokens in found)


@pytest.mark.parametrize("kind", ["usual", "race"])
def test_replayed_steps_write_the_same(monkeypatch, model, kind):
    """Steps change what they read, and a capture runs them: it must leave no trace."""
    monkeypatch.setattr("ptp_core.sampling._sorted", _sorted_by_keys)  # as on a GPU: without a look at the values
    monkeypatch.setattr("ptp_core.engine.seats._FEWEST", 4)
    captures = []

    def capture(function):
        captures.append(function)
        return emulated_graph(function)

    pen = Pen(model, capture)
    requests = requests_of(KINDS[kind], 20)
    rules = Rules(KINDS[kind], tuple(model.eos_tokens))
    for _ in range(2):
        assert pen.write(texts_of(requests), rules, 192, 8) == one_by_one(model, requests)
    assert len(captures) <= 2, "once for eight seats, once for four"


def test_memory_grows_with_what_is_asked_for(model):
    pen, rules = Pen(model), Rules(KINDS["usual"], tuple(model.eos_tokens))
    for count, columns, most in ((3, 192, 2), (9, 256, 8), (3, 192, 2)):
        requests = requests_of(KINDS["usual"], count, count)
        assert pen.write(texts_of(requests), rules, columns, most) == one_by_one(model, requests)


def test_layers_with_norms_and_biases():
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 13, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.35, "eos_token_id": 0,
        "tie_word_embeddings": False, "bos_token_id": None,
    }  # fmt: skip
    for target in (
        Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=8)),
        LlamaForCausalLM(LlamaConfig(**sizes, attention_bias=True, mlp_bias=True)),
    ):
        for name, parameter in target.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.3)
        target.set_attn_implementation(attention.NAME)
        other = PTPModel(target, make_tokenizer(), name="other").eval()
        requests = requests_of(KINDS["usual"], 6)
        assert complete(other, requests, 4, seated=True) == one_by_one(other, requests)


def test_logits_that_are_not_finite_are_refused():
    broken = build(torch.float32, False, 256)
    with torch.no_grad():
        broken.target.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        complete(broken, requests_of(KINDS["usual"], 3), 4, seated=True)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_at_temperatures_of_their_own_have_their_own_bins(kind):
    logits = torch.randn(8, 300, generator=torch.Generator().manual_seed(5)) * 3
    logits[2, 7] = logits[2, 9] = logits[2].max() + 1  # a tie at the top: greedy takes the first
    temperatures = torch.tensor([0.0, 0.3, 0.0, 0.7, 1.0, 1.3, 0.7, 0.0])
    together, finite = candidates_by_row(logits, KINDS[kind], temperatures)
    assert finite.all()
    for i, temperature in enumerate(temperatures.tolist()):
        sampling = SamplingConfig(**{**KINDS[kind].to_json(), "temperature": temperature})
        alone, row = candidates(logits[i : i + 1], sampling), together.row(i)
        torch.testing.assert_close(row.dense(300), alone.dense(300))
        for u in torch.linspace(0, 0.999, 50):
            picks = [
                found.tokens[0, found.find(u[None]).clamp(max=found.tokens.shape[1] - 1)] for found in (row, alone)
            ]
            assert picks[0] == picks[1]


def test_sizes_are_few():
    assert [columns_of_texts(n) for n in (1, 128, 129, 193, 300, 500, 513, 2049)] == [
        128, 128, 192, 256, 384, 512, 768, 3072,
    ]  # fmt: skip
    assert [read_width(n) for n in (0, 1, 64, 65)] == [64, 64, 64, 128]
    assert all(columns_of_texts(n) >= max(n, read_width(n - 1)) for n in range(1, 2000))
    assert LOOK_EVERY == 16
