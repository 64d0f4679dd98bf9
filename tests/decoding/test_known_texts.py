"""Decoding of known texts: the steps of decoding call by call, from one pass over many texts."""

from dataclasses import replace

import pytest

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.decoding.known_texts import KnownText, can_look_up, decode_known
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.training.batch_sampling import Request, decode_at_once, write_texts

PROMPTS = [[3, 4], [3, 4, 5], [3, 4, 5, 6, 2, 7, 8], [6, 2, 7]]
TEMPERATURES = (0.7, 0.0, 0.7, 0.3)
SETTINGS = DecodeSettings(20, None, 9, details=False)
ADAPTERS = [
    {"chain": 8},
    {"chain": 0, "order": "token_id"},
    {"variant": "c-ptp"},
    {"variant": "c-ptp", "anchor": True, "start_slot": True},
    {"variant": "independent", "kind": "blank", "chain": 8},
]


def one_by_one(model, method, settings, **sampling):
    kinds = [SamplingConfig(temperature, 8, 0.95, **sampling) for temperature in TEMPERATURES]
    return [
        generate(model, prompt, method, NoiseTape(i), kind, settings=settings, prompt="")
        for i, (prompt, kind) in enumerate(zip(PROMPTS, kinds, strict=True))
    ]


def as_known(traces):
    return [KnownText(t.prompt_tokens, t.tokens, t.noise, t.sampling) for t in traces]


def whole_numbers(step):
    """All of a step that is no rounded number; of the target's picks those that verification needs."""
    return {
        "kind": (step.index, step.kind, step.num_positions),
        "drafts": [(d.token, d.text, d.u, d.status) for d in step.drafts],
        "end": (step.num_accepted, step.extra_token, step.extra_kind, step.target_tokens[: step.num_accepted]),
        "emitted": [(e.token, e.text, e.source, e.u, e.likeliest, e.position) for e in step.emitted],
        "branches": [(b.num_assumed, b.num_slots, b.kept, [d.token for d in b.drafts]) for b in step.branches],
    }


def rounded_numbers(step):
    drafts = [x for d in step.drafts for x in (d.prob, d.margin)]
    return drafts + [x for e in step.emitted for x in (e.prob, e.entropy, e.left, e.right, e.margin or 0)]


def assert_same_steps(expected, found):
    assert [whole_numbers(step) for step in found] == [whole_numbers(step) for step in expected]
    for a, b in zip(expected, found, strict=True):
        assert rounded_numbers(b) == pytest.approx(rounded_numbers(a), abs=1e-4)
        assert b.seconds == 0


@pytest.mark.parametrize(
    ("changes", "coupling"), [*((changes, "inverse_cdf") for changes in ADAPTERS), (ADAPTERS[0], "gumbel")], ids=str
)
def test_the_steps_are_those_of_decoding_call_by_call(make_model, changes, coupling):
    model = make_model(context=512, **changes)
    accepted = 0
    for method, settings in (
        ("ar", SETTINGS),
        ("ptp", SETTINGS),
        ("pqd", SETTINGS),
        ("pqd", replace(SETTINGS, chained=False, num_speculative_tokens=2)),
        ("independent", replace(SETTINGS, draft_rule="pick")),
    ):
        traces = one_by_one(model, method, settings, coupling=coupling)
        for trace, steps in zip(traces, decode_known(model, as_known(traces), method, settings, 3), strict=True):
            assert_same_steps(trace.steps, steps)
            accepted += sum(step.num_accepted for step in steps)
    assert accepted > 10


def test_a_text_that_the_target_does_not_pick_is_told_and_decoded_call_by_call(make_model):
    model = make_model(context=512, chain=8)
    kinds = [SamplingConfig(temperature, 8, 0.95) for temperature in TEMPERATURES]
    requests = [Request(p, kind, 20, i) for i, (p, kind) in enumerate(zip(PROMPTS, kinds, strict=True))]
    expected, texts = one_by_one(model, "pqd", SETTINGS), write_texts(model, requests)
    assert [list(text.tokens) for text in texts] == [trace.tokens for trace in expected]
    wrong = list(texts[2].tokens)
    wrong[4] = next(token for token in range(3, 12) if token != wrong[4])
    texts[2] = replace(texts[2], tokens=wrong)
    found = list(decode_known(model, texts, "pqd", SETTINGS, 5))
    assert [steps is None for steps in found] == [False, False, True, False]
    for trace, steps in zip(expected, decode_at_once(model, texts, "pqd", SETTINGS), strict=True):
        assert_same_steps(trace.steps, steps)


def test_what_hangs_on_times_or_on_other_drafts_is_refused(make_model):
    model = make_model(context=512, chain=8)
    texts = as_known(one_by_one(model, "ar", SETTINGS))
    for method, settings in (
        ("pqd", replace(SETTINGS, draft_budget="auto")),
        ("pqd", replace(SETTINGS, details=True)),
        ("shallow", SETTINGS),
        ("prompt_lookup", SETTINGS),
    ):
        assert not can_look_up(method, settings)
        with pytest.raises(ValueError, match="call by call"):
            list(decode_known(model, texts, method, settings))
    with pytest.raises(ValueError, match="reach its end"):
        list(decode_known(model, [replace(texts[0], tokens=texts[0].tokens[:3])], "pqd", SETTINGS))
    with pytest.raises(ValueError, match="quick=False"):
        list(decode_known(make_model(quick=True), texts, "pqd", SETTINGS))
