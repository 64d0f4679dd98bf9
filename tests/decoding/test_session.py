"""One run: what its steps say, where it ends, and that runs do not touch each other."""

import itertools

import pytest
from support.exactness import long_noise, prompt_of
from support.tiny_model import make_target, make_tokenizer

from ptp_core import NoiseTape, SamplingConfig, decode_ar, decode_pqd, generate
from ptp_core.decoding.decode import start_decoding
from ptp_core.methods import AHEAD, LOOKUP, METHODS, TABLE
from ptp_core.model.ptp_model import PTPModel
from ptp_core.trace import stats_of


def test_steps_tell_one_consistent_story(make_model):
    model = make_model()
    for method, seed in itertools.product(METHODS, range(6)):
        trace = generate(model, prompt_of(seed), method, noise=NoiseTape(seed), max_new_tokens=20)
        pending: list = []
        for step in trace.steps:
            kept = [d.token for d in pending]
            assert [d.token for d in step.drafts] == kept or TABLE[method].drafts in (AHEAD, LOOKUP)
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
        assert token.excluded == [] and token.excluded_mass < 1e-6  # but for rounding


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


def test_eos_tokens_come_from_model_and_tokenizer():
    assert PTPModel(make_target(), make_tokenizer()).eos_tokens == frozenset({0})
