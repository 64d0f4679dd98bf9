import itertools
import random

import pytest
from support.tiny_model import make_target, make_tokenizer

from ptp_core import NoiseTape, SamplingConfig, decode_ar, decode_pqd, first_divergence, generate
from ptp_core.decoding.decode import start_decoding
from ptp_core.decoding.drafters.lookup import find_continuation
from ptp_core.methods import METHODS
from ptp_core.model.ptp_model import PTPModel
from ptp_core.trace import stats_of

SAMPLINGS = [
    SamplingConfig(),
    SamplingConfig(temperature=0),
    SamplingConfig(temperature=0.2, top_k=3, top_p=1),
    SamplingConfig(temperature=1.0, top_k=0, top_p=1, order="token_id"),
    SamplingConfig(temperature=1.5, top_k=0, top_p=0.8),
    SamplingConfig(temperature=0.5, top_k=5, top_p=0.9, order="token_id", filter="reference"),
]
SPECULATIVE = [method for method in METHODS if method != "ar"]


def assert_same_text(reference, trace):
    """Equal token for token, or different only where u lies within rounding of an edge (invariant 1)."""
    place = first_divergence(reference.tokens, trace.tokens)
    if place is not None:
        margin = reference.emitted[place].margin
        assert margin is not None
        assert margin < 1e-5, f"{trace.method} differs at token {place}, u is {margin} away from the edge"


def prompt_of(seed):
    draw = random.Random(seed)
    return [draw.randrange(2, 13) for _ in range(draw.randrange(1, 12))]


def long_noise(model, ids, length):
    """The first seed whose text does not end before `length` tokens."""
    for seed in range(100):
        if len(generate(model, ids, "ar", noise=NoiseTape(seed), max_new_tokens=length).tokens) == length:
            return NoiseTape(seed)
    raise AssertionError("every text ends early")


# ---- exactness --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: f"T{s.temperature}-{s.order}")
@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
def test_every_method_gives_the_autoregressive_text(make_model, sampling, quick, chain):
    accepted = 0
    for seed in range(25):
        model = make_model(seed=seed % 3, quick=quick, order=sampling.order, chain=chain)
        ids, options = prompt_of(seed), {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 24}
        reference = generate(model, ids, "ar", **options)
        for method in SPECULATIVE:
            budget = {} if method == "prompt_lookup" else {"draft_budget": (3, 9, 25, "auto")[seed % 4]}
            trace = generate(model, ids, method, **options, **budget)
            assert_same_text(reference, trace)
            accepted += sum(step.num_accepted for step in trace.steps)
    assert accepted > 50, "hardly any draft was accepted: the test would prove little"


@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp", "c-ptp with a start slot", "independent"])
@pytest.mark.parametrize("num_speculative_tokens", [0, 1, 2, 7])
def test_every_variant_of_adapter_is_exact(make_model, variant, num_speculative_tokens, chain):
    kind = "blank" if variant == "independent" else "fourier"
    model = make_model(variant=variant.split()[0], start_slot="start" in variant, kind=kind, chain=chain)
    sampling = SamplingConfig(temperature=0.4)
    for seed in range(12):
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
def test_drafts_without_u_are_exact_by_both_rules(make_model, rule, chain):
    model = make_model(variant="independent", kind="blank", chain=chain)
    sampling, accepted = SamplingConfig(temperature=0.4), 0
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


# ---- what a step says ---------------------------------------------------------------------------------


def test_steps_tell_one_consistent_story(make_model):
    model = make_model()
    for method, seed in itertools.product(METHODS, range(6)):
        trace = generate(model, prompt_of(seed), method, noise=NoiseTape(seed), max_new_tokens=20)
        pending: list = []
        for step in trace.steps:
            assert [d.token for d in step.drafts] == [d.token for d in pending] or method in (
                "shallow",
                "shallow_lookup",
                "prompt_lookup",
            )
            statuses = [d.status for d in step.drafts]
            accepted = step.num_accepted
            wrong = ["rejected"] + ["discarded"] * (len(statuses) - accepted - 1)
            assert statuses == ["accepted"] * accepted + wrong[: len(statuses) - accepted]
            assert [e.token for e in step.emitted][:accepted] == [d.token for d in step.drafts][:accepted]
            assert [e.source for e in step.emitted[:accepted]] == ["accepted"] * accepted
            if step.extra_token is not None:
                assert step.emitted[-1].token == step.extra_token
                assert step.emitted[-1].source == step.extra_kind
            assert sum(b.kept for b in step.branches) <= 1
            for branch in step.branches:
                first = branch.drafts[0].status if branch.drafts else None
                assert first == ("settled" if branch.kept else "unused")
                assert 0 <= branch.probability <= 1
            kept = [b for b in step.branches if b.kept]
            pending = kept[0].drafts[1:] if kept else []
            for token in step.emitted:
                assert token.left <= token.u < token.right
                own = [c for c in token.candidates if c.token == token.token]
                assert [(c.left, c.right, c.prob) for c in own] == [(token.left, token.right, token.prob)]
        assert [e.position for e in trace.emitted] == list(range(len(trace.tokens)))
        assert trace.text == model.decode(trace.tokens)


def test_kinds_of_calls(make_model):
    model = make_model()
    kinds = {}
    for method in METHODS:
        budget = {} if method in ("ar", "prompt_lookup") else {"draft_budget": 12}
        trace = generate(model, [3, 4, 3], method, noise=NoiseTape(2), max_new_tokens=16, **budget)
        kinds[method] = [step.kind for step in trace.steps]
    assert set(kinds["ar"]) == {"prefill", "decode"}
    assert kinds["ar"].count("prefill") == 1
    assert kinds["ptp"][:4] == ["prefill", "verify", "draft", "verify"]
    assert set(kinds["pqd"][1:-1]) == {"verify_and_draft"}
    assert "verify" in kinds["prompt_lookup"]
    assert "verify" in kinds["shallow"]


def test_statistics_by_hand(make_model):
    noise = long_noise(make_model(), [3, 4], 20)
    trace = generate(make_model(), [3, 4], "pqd", noise=noise, max_new_tokens=20, draft_budget=12)
    stats = trace.stats
    verifying = [s for s in trace.steps if s.drafts]
    assert stats.num_tokens == 20
    assert stats.num_calls == len(trace.steps)
    assert stats.tokens_per_call == 20 / len(trace.steps)
    assert stats.mean_accepted_length == sum(s.num_accepted + 1 for s in verifying) / len(verifying)
    assert stats.acceptance_rate == sum(s.num_accepted for s in verifying) / sum(len(s.drafts) for s in verifying)
    assert stats_of([]).tokens_per_call == 0


def test_without_details_the_tokens_are_the_same_and_the_candidates_are_left_out(make_model):
    options = {"noise": NoiseTape(3), "max_new_tokens": 16, "draft_budget": 9}
    full = generate(make_model(), [3, 4], "pqd", **options)
    lean = generate(make_model(), [3, 4], "pqd", **options, details=False)
    assert lean.tokens == full.tokens
    assert [len(s.drafts) for s in lean.steps] == [len(s.drafts) for s in full.steps]
    assert not any(e.candidates for e in lean.emitted)


# ---- ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ar", "pqd"])
def test_a_shortlist_of_the_vocabulary_changes_no_record(make_model, monkeypatch, method):
    """Without filters only the likeliest tokens are sorted: entropies are of all of them, and nothing was removed."""
    model, plain = make_model(), SamplingConfig(temperature=1.5, top_k=0, top_p=1)
    options = {"noise": NoiseTape(4), "sampling": plain, "max_new_tokens": 12}
    whole = generate(model, [3, 5, 4], method, **options)
    monkeypatch.setattr("ptp_core.sampling._SHORTLIST", 9)
    short = generate(model, [3, 5, 4], method, **options)
    assert short.tokens == whole.tokens
    assert [e.entropy for e in short.emitted] == pytest.approx([e.entropy for e in whole.emitted], rel=1e-5)
    assert min(len(e.candidates) for e in short.emitted) < len(whole.emitted[0].candidates), "a shortlist was in use"
    for token in short.emitted:
        assert (token.excluded, token.excluded_mass) == ([], 0.0)


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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_exactly_the_asked_number_of_tokens(make_model, method, count):
    sampling = SamplingConfig(temperature=0.3)
    for seed in range(5):
        trace = generate(make_model(), [3, 4], method, noise=NoiseTape(seed), sampling=sampling, max_new_tokens=count)
        assert len(trace.tokens) == count or trace.tokens[-1] == 0
        assert all(e.position < count for e in trace.emitted)


@pytest.mark.parametrize("method", METHODS)
def test_the_context_window_ends_the_text(make_model, method):
    model = make_model(context=32)
    ids = [3] * 26
    trace = generate(model, ids, method, noise=NoiseTape(1), max_new_tokens=64)
    assert len(trace.tokens) == 6 or trace.tokens[-1] == 0
    with pytest.raises(ValueError, match="reads 32 at most"):
        generate(model, [3] * 32, method)


@pytest.mark.parametrize("method", METHODS)
def test_bad_arguments_are_refused_before_any_call(make_model, method):
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(make_model(), [], method)
    with pytest.raises(ValueError, match="max_new_tokens"):
        generate(make_model(), [3], method, max_new_tokens=0)


def test_other_bad_arguments(make_model):
    with pytest.raises(ValueError, match="Unknown method"):
        generate(make_model(), [3], "magic")
    with pytest.raises(ValueError, match="num_speculative_tokens"):
        generate(make_model(), [3], "pqd", num_speculative_tokens=-1)
    for budget in (-1, 1.5, "much", True, 10_000):
        with pytest.raises(ValueError, match="draft_budget"):
            generate(make_model(), [3], "pqd", draft_budget=budget)
    with pytest.raises(ValueError, match="draft_rule"):
        generate(make_model(), [3], "independent", draft_rule="likeliest")
    for method in ("ptp", "pqd", "independent"):
        with pytest.raises(ValueError, match="no PTP adapter"):
            generate(make_model(adapter=False), [3], method)


# ---- runs do not touch each other -------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [False, True])
def test_stopping_early_leaves_the_model_clean(make_model, quick):
    model = make_model(quick=quick)
    options = {"noise": NoiseTape(6), "max_new_tokens": 20, "draft_budget": 9}
    fresh = generate(model, [3, 4, 5], "pqd", **options)
    for stop_after in range(1, 6):
        steps = decode_pqd(model, [7, 7], NoiseTape(1), SamplingConfig(), max_new_tokens=20)
        for _ in range(stop_after):
            next(steps, None)
        steps.close()
        assert model.gate.first_slot is None
    again = generate(model, [3, 4, 5], "pqd", **options)
    assert [e.__dict__ | {"candidates": None} for e in again.emitted] == [
        e.__dict__ | {"candidates": None} for e in fresh.emitted
    ]


def test_interleaved_runs_do_not_share_a_cache(make_model):
    model = make_model()
    alone = [generate(model, ids, "pqd", noise=NoiseTape(3), max_new_tokens=15).tokens for ids in ([3, 4], [9, 8, 7])]
    both: list = [
        start_decoding(model, ids, "pqd", NoiseTape(3), SamplingConfig(), max_new_tokens=15)
        for ids in ([3, 4], [9, 8, 7])
    ]
    tokens: list[list[int]] = [[], []]
    while any(both):
        for i, steps in enumerate(both):
            step = next(steps, None) if steps else None
            if step is None:
                both[i] = None
            else:
                tokens[i] += [e.token for e in step.emitted]
    assert tokens == alone


def test_a_decoder_is_lazy(make_model):
    steps = decode_ar(make_model(), [3], NoiseTape(0), SamplingConfig(), max_new_tokens=5)
    assert next(steps).index == 0
    assert next(steps).index == 1


# ---- notes, drafts without a model, budget ----------------------------------------------------------------


def test_notes_say_when_an_adapter_is_used_beside_its_purpose(make_model):
    blind = generate(make_model(), [3], "independent", max_new_tokens=3)
    assert "trained to read u" in " ".join(blind.notes)
    fair = generate(make_model(variant="independent", kind="blank"), [3], "independent", max_new_tokens=3)
    assert fair.notes == []
    other = generate(make_model(), [3], "pqd", sampling=SamplingConfig(order="token_id"), max_new_tokens=3)
    assert "order of probability" in " ".join(other.notes)


def test_prompt_lookup_finds_the_longest_and_latest_match():
    assert find_continuation([1, 2, 3, 9, 1, 2, 3], 2) == [9, 1]
    assert find_continuation([1, 2, 7, 5, 2, 8, 1, 2], 1) == [7]  # two tokens match before one does
    assert find_continuation([2, 7, 2, 8, 2], 1) == [8]  # the latest of equals
    assert find_continuation([1, 2, 3], 2) == []
    assert find_continuation([4, 4], 3) == [4]
    assert find_continuation([4, 4], 0) == []


def test_eos_tokens_come_from_model_and_tokenizer():
    assert PTPModel(make_target(), make_tokenizer()).eos_tokens == frozenset({0})
