"""Every method gives the autoregressive text of the same noise."""

import itertools

import pytest
from support.exactness import long_noise, prompt_of

from ptp_core import NoiseTape, SamplingConfig, first_divergence, generate
from ptp_core.methods import METHODS
from ptp_core.sampling import COUPLINGS

SAMPLINGS = [
    SamplingConfig(),
    SamplingConfig(temperature=0),
    SamplingConfig(temperature=0.2, top_k=3, top_p=1),
    SamplingConfig(temperature=1.0, top_k=0, top_p=1, order="token_id"),
    SamplingConfig(temperature=1.5, top_k=0, top_p=0.8),
    SamplingConfig(temperature=0.5, top_k=5, top_p=0.9, order="token_id", filter="reference"),
    SamplingConfig(coupling="gumbel"),
    SamplingConfig(temperature=1.0, top_k=0, top_p=1, coupling="gumbel"),
]


SPECULATIVE = [method for method in METHODS if method != "ar"]


def assert_same_text(reference, trace):
    """Equal token for token, or different only where u lies within rounding of an edge (invariant 1)."""
    place = first_divergence(reference.tokens, trace.tokens)
    if place is not None:
        margin = reference.emitted[place].margin
        assert margin is not None
        assert margin < 1e-5, f"{trace.method} differs at token {place}, u is {margin} away from the edge"


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: f"T{s.temperature}-{s.order}-{s.coupling}")
@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
def test_every_method_gives_the_autoregressive_text(make_model, sampling, quick, chain):
    accepted = 0
    for seed in range(6):  # hundreds are slow, and a test of their own
        model = make_model(seed=seed % 3, quick=quick, order=sampling.order, chain=chain)
        ids, options = prompt_of(seed), {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 24}
        reference = generate(model, ids, "ar", **options)
        for method in SPECULATIVE:
            budget = {} if method == "prompt_lookup" else {"draft_budget": (3, 9, 25, "auto")[seed % 4]}
            trace = generate(model, ids, method, **options, **budget)
            assert_same_text(reference, trace)
            accepted += sum(step.num_accepted for step in trace.steps)
    assert accepted > 10, "hardly any draft was accepted: the test would prove little"


@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
@pytest.mark.parametrize(
    "variant", ["o-ptp", "c-ptp", "c-ptp with a start slot", "independent", "independent with a start slot"]
)
@pytest.mark.parametrize("num_speculative_tokens", [0, 1, 2, 7])
def test_every_variant_of_adapter_is_exact(make_model, variant, num_speculative_tokens, chain):
    kind = "blank" if "independent" in variant else "fourier"
    model = make_model(variant=variant.split()[0], start_slot="start" in variant, kind=kind, chain=chain)
    sampling = SamplingConfig(temperature=0.4)
    for seed in range(4):
        options = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 20}
        reference = generate(model, prompt_of(seed), "ar", **options)
        for method, budget in itertools.product(("ptp", "pqd", "independent"), (4, 16)):
            trace = generate(
                model, prompt_of(seed), method, **options,
                num_speculative_tokens=num_speculative_tokens, draft_budget=budget,
            )  # fmt: skip
            assert_same_text(reference, trace)


@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
@pytest.mark.parametrize("rule", ["argmax", "pick"])
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_drafts_without_u_are_exact_by_both_rules(make_model, coupling, rule, chain):
    model = make_model(variant="independent", kind="blank", chain=chain)
    sampling, accepted = SamplingConfig(temperature=0.4, coupling=coupling), 0
    for seed in range(12):
        options = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 20}
        reference = generate(model, prompt_of(seed), "ar", **options)
        trace = generate(model, prompt_of(seed), "independent", **options, draft_budget=9, draft_rule=rule)
        assert_same_text(reference, trace)
        accepted += sum(step.num_accepted for step in trace.steps)
    assert accepted > 5, "hardly any draft was accepted: the test would prove little"


@pytest.mark.slow
def test_hundreds_of_seeds(make_model):
    accepted = dict.fromkeys(SPECULATIVE, 0)
    for seed in range(400):
        sampling = SAMPLINGS[seed % len(SAMPLINGS)]
        model = make_model(seed=seed % 5, quick=seed % 2 == 0, order=sampling.order)
        options = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 40}
        options["draft_budget"] = (1, 2, 5, 12, 30, "auto")[seed % 6]
        reference = generate(model, prompt_of(seed), "ar", **options)
        for method in SPECULATIVE:
            found = generate(model, prompt_of(seed), method, **options)
            assert_same_text(reference, found)
            accepted[method] += sum(step.num_accepted for step in found.steps)
    assert min(accepted.values()) > 100, "a test of drafts needs drafts that are right"


def test_the_exactness_check_itself_notices_a_wrong_token(make_model):
    model = make_model()
    noise = long_noise(model, [3, 4], 12)
    a = generate(model, [3, 4], "ar", noise=noise, max_new_tokens=12)
    place = next(e.position for e in a.emitted if e.margin and e.margin > 0.01)
    other = noise.with_value(place, 0.9999 if a.emitted[place].right < 1 else 0.0)
    b = generate(model, [3, 4], "pqd", noise=other, max_new_tokens=12)
    assert a.tokens != b.tokens
    with pytest.raises(AssertionError, match="away from the edge"):
        assert_same_text(a, b)


@pytest.mark.parametrize("wrong_at", [None, 0, 1, 3])
def test_ladder_of_a_drafter_that_knows_the_text(make_model, monkeypatch, wrong_at):
    """Perfect drafts are kept whole; with one wrong token in a known place, exactly those before it."""
    model = make_model(adapter=False)
    noise = long_noise(model, [3, 4], 21)
    text = generate(model, [3, 4], "ar", noise=noise, max_new_tokens=21).tokens

    def oracle(tokens, count):
        done = len(tokens) - 2
        drafts = text[done : done + count]
        return [t if i != wrong_at else (t + 1) % 13 or 1 for i, t in enumerate(drafts)]

    monkeypatch.setattr("ptp_core.decoding.drafters.lookup.find_continuation", oracle)
    options = {"noise": noise, "max_new_tokens": 21, "num_speculative_tokens": 4}
    trace = generate(model, [3, 4], "prompt_lookup", **options)
    assert trace.tokens == text
    kept = 4 if wrong_at is None else wrong_at
    assert [s.num_accepted for s in trace.steps[1:-1]] == [kept] * (len(trace.steps) - 2)
    assert {s.extra_kind for s in trace.steps[1:-1]} == {"bonus" if wrong_at is None else "recovered"}


def test_an_end_of_text_inside_an_accepted_run_ends_the_text_there(make_model):
    inside = 0
    for seed in range(300):
        model = make_model(seed=seed % 3)
        sampling = SamplingConfig(temperature=1.5, top_k=0, top_p=1)
        options = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 30}
        trace = generate(model, prompt_of(seed), "pqd", **options, draft_budget=16)
        assert_same_text(generate(model, prompt_of(seed), "ar", **options), trace)
        assert 0 not in trace.tokens[:-1]
        if trace.tokens[-1] == 0 and trace.steps[-1].emitted[-1].source == "accepted":
            inside += 1
            assert trace.steps[-1].extra_token is None
            assert trace.emitted[-1].text == ""
        if inside >= 3:
            return
    pytest.fail("no end of text was ever drafted and accepted: the test would prove nothing")
