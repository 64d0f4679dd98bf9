"""Decoding by the engine: the text is plain decoding's, in both dtypes the same in all lanes."""

import itertools

import pytest
import torch
from support.exactness import prompt_of

from ptp_core import METHODS, NoiseTape, PTPModel, SamplingConfig, generate
from ptp_core.analysis import what_if
from ptp_core.decoding.decode import start_decoding
from ptp_core.engine import decision
from ptp_core.methods import TABLE
from ptp_core.trace import first_divergence

BUDGETED = [method for method in METHODS if "draft_budget" in TABLE[method].options]
DRAFTING = [method for method in METHODS if method != "ar"]


def options_of(method, budget=9):
    return {"draft_budget": budget} if method in BUDGETED else {}


def told(trace):
    """What a trace tells of its calls, but for times and numbers."""
    return [
        (s.kind, s.num_positions, [(d.token, d.status) for d in s.drafts], s.target_tokens,
         [(e.token, e.source, [c.token for c in e.candidates], [x.token for x in e.excluded]) for e in s.emitted],
         [(b.num_assumed, b.kept, b.num_slots, [(d.token, d.status) for d in b.drafts]) for b in s.branches])
        for s in trace.steps
    ]  # fmt: skip


def numbers(trace):
    """The numbers in it. Shallow slots draft in bfloat16, where a state's last bit changes odds by a thousandth."""
    drafts = [d.prob for step in trace.steps for d in step.drafts]
    return drafts, [x for e in trace.emitted for x in (e.left, e.right, e.prob, e.entropy, e.excluded_mass)]


@pytest.mark.parametrize("coupling", ["inverse_cdf", "gumbel"])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
def test_every_method_gives_plain_decodings_text_and_records(make_pair, coupling, temperature, chain):
    plain, model = make_pair(chain=chain)
    sampling, accepted = SamplingConfig(temperature, 8, 0.95, coupling=coupling), 0
    for seed, details in zip(range(3), itertools.cycle([True, False]), strict=False):
        options = {
            "noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 20, "details": details,
        }  # fmt: skip
        reference = generate(plain, prompt_of(seed), "ar", **options)
        for method in METHODS:
            expected = generate(plain, prompt_of(seed), method, **options, **options_of(method))
            found = generate(model, prompt_of(seed), method, **options, **options_of(method))
            assert found.tokens == reference.tokens
            assert told(found) == told(expected)
            for ours, theirs, within in zip(numbers(found), numbers(expected), (1e-2, 1e-4), strict=True):
                assert ours == pytest.approx(theirs, abs=within)
            accepted += sum(step.num_accepted for step in found.steps)
    assert accepted > 5, "hardly any draft was accepted: the test would prove little"


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingConfig(1.0, 0, 1.0),
        SamplingConfig(1.0, 0, 1.0, order="token_id"),
        SamplingConfig(0.7, 0, 0.9),
        SamplingConfig(0.7, 8, 0.9, filter="reference"),
        SamplingConfig(1.0, 0, 1.0, coupling="gumbel"),
    ],
    ids=str,
)
@pytest.mark.parametrize("shortlist", [None, 3])
def test_every_kind_of_sampling_and_shortlists_that_do_not_suffice(make_pair, monkeypatch, sampling, shortlist):
    plain, model = make_pair(variant="c-ptp", chain=16)
    if shortlist is not None:
        monkeypatch.setattr("ptp_core.sampling._SHORTLIST", shortlist)
        monkeypatch.setattr(decision, "_MOST_PACKED", shortlist)
    for seed in range(2):
        options = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 16}
        reference = generate(plain, prompt_of(seed), "ar", **options)
        for method in ("ar", "pqd", "independent"):
            found = generate(model, prompt_of(seed), method, **options, **options_of(method))
            assert found.tokens == reference.tokens


@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp", "independent"])
@pytest.mark.parametrize("drafts", [0, 1, 7, 20])
def test_every_variant_of_adapter_and_any_number_of_drafts(make_pair, variant, drafts):
    plain, model = make_pair(variant=variant, kind="blank" if variant == "independent" else "fourier", chain=16)
    for seed, method in itertools.product(range(3), ("ptp", "pqd", "independent")):
        options = {"noise": NoiseTape(seed), "sampling": SamplingConfig(0.4), "max_new_tokens": 24}
        reference = generate(plain, prompt_of(seed), "ar", **options)
        found = generate(model, prompt_of(seed), method, **options, num_speculative_tokens=drafts, draft_budget="auto")
        assert found.tokens == reference.tokens


def test_in_bfloat16_all_lanes_write_the_same_twenty_texts_of_64_tokens(make_pair, monkeypatch):
    model, accepted = make_pair(torch.bfloat16, chain=16)[1], 0
    monkeypatch.setattr(PTPModel, "eos_tokens", frozenset())  # so that no text ends early
    for seed in range(20):
        options = {"noise": NoiseTape(seed), "sampling": SamplingConfig(1.0, 8, 0.95), "max_new_tokens": 64}
        reference = generate(model, prompt_of(seed), "ar", **options, details=False)
        assert len(reference.tokens) == 64
        for method in DRAFTING if seed == 0 else ["pqd"]:
            found = generate(model, prompt_of(seed), method, **options, **options_of(method), details=False)
            assert first_divergence(reference.tokens, found.tokens) is None, (seed, method)
            accepted += sum(step.num_accepted for step in found.steps)
    assert accepted > 100


@pytest.mark.parametrize("method", ["ar", "pqd", "shallow"])
def test_prompts_up_to_the_contexts_end(make_pair, method):
    plain, model = make_pair(context=128)
    for length in (63, 64, 65, 120, 126, 127):
        ids = [2 + (5 * i + length) % 11 for i in range(length)]
        options = {"noise": NoiseTape(4), "sampling": SamplingConfig(), "max_new_tokens": 64}
        expected = generate(plain, ids, "ar", **options)
        assert generate(model, ids, method, **options, **options_of(method)).tokens == expected.tokens
    with pytest.raises(ValueError, match="128 at most"):
        generate(model, [3] * 128, method)


def test_stopping_in_the_middle_leaves_nothing_behind(make_pair):
    plain, model = make_pair()
    options = {"max_new_tokens": 24, "draft_budget": 9}
    for count in (1, 2, 3):
        steps = start_decoding(model, prompt_of(1), "pqd", NoiseTape(1), SamplingConfig(), **options)
        for _ in range(count):
            next(steps)
        steps.close()
        expected = generate(plain, prompt_of(count), "ar", NoiseTape(count), max_new_tokens=24)
        assert generate(model, prompt_of(count), "pqd", NoiseTape(count), **options).tokens == expected.tokens


def test_runs_at_the_same_time_do_not_touch_each_other(make_pair):
    plain, model = make_pair()
    lanes = [(method, seed) for seed in (1, 2) for method in ("ar", "pqd", "shallow")]
    runs = [
        start_decoding(
            model, prompt_of(seed), method, NoiseTape(seed), SamplingConfig(), max_new_tokens=20, **options_of(method)
        )
        for method, seed in lanes
    ]
    texts = [[] for _ in lanes]
    for steps in itertools.zip_longest(*runs):
        for text, step in zip(texts, steps, strict=True):
            text += [e.token for e in step.emitted] if step else []
    for (_, seed), text in zip(lanes, texts, strict=True):
        assert text == generate(plain, prompt_of(seed), "ar", NoiseTape(seed), max_new_tokens=20).tokens


@pytest.mark.parametrize("coupling", ["inverse_cdf", "gumbel"])
def test_what_if_on_an_edited_tape(make_pair, coupling):
    plain, model = make_pair()
    sampling = SamplingConfig(1.0, 8, 0.95, coupling=coupling)
    changed = 0
    for method, seed in itertools.product(("ar", "pqd"), range(4)):
        before = generate(model, prompt_of(seed), method, NoiseTape(seed), sampling, max_new_tokens=16)
        for position in (0, len(before.tokens) // 2):
            found, expected = (what_if(m, before, position, 0.01) for m in (model, plain))
            assert found.tokens == expected.tokens
            changed += found.tokens != before.tokens
    assert changed > 4
