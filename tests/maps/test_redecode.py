"""What if: a text on another tape, against decoding it from scratch."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from support.stories import long_story, moved, story

from ptp_core import SamplingConfig, analysis, generate
from ptp_core.maps.contexts import Contexts
from ptp_core.sampling import COUPLINGS


@pytest.mark.parametrize("method", ["ar", "ptp", "pqd", "independent", "prompt_lookup"])
@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_what_if_equals_decoding_the_edited_tape_from_scratch(make_model, method, quick, coupling):
    model = make_model(quick=quick)
    draw = random.Random(5)
    contexts = Contexts()
    differing = 0
    for seed in range(5):
        sampling = SamplingConfig(coupling=coupling)
        trace = story(model, method if method != "prompt_lookup" else "ar", seed=seed, sampling=sampling)
        trace = replace(trace, method=method)
        for position in {0, len(trace.tokens) - 1, draw.randrange(len(trace.tokens))}:
            u = draw.random() * (1.0 if coupling == "inverse_cdf" else 0.1)  # a low clock loses
            changed = analysis.what_if(model, trace, position, u, contexts, max_new_tokens=14)
            noise = moved(trace, position, u)
            scratch = generate(model, trace.prompt_tokens, method, noise=noise, sampling=sampling, max_new_tokens=14)
            assert changed.tokens == scratch.tokens
            assert changed.text == scratch.text
            assert changed.noise == noise
            assert changed.from_dict(changed.to_dict()) == changed, "it is a whole trace"
            assert analysis.changed(trace, changed)[:1] in ([], [position])
            differing += changed.tokens != trace.tokens
    assert differing > 3


def test_what_if_goes_no_further_than_an_end_of_text(tiny):
    """A longer answer is asked for, and the edit lies behind the end."""
    ended = [t for t in (story(tiny, "pqd", seed=seed) for seed in range(60)) if t.tokens[-1] in tiny.eos_tokens]
    assert ended
    for trace in ended:
        far = trace.noise.with_value(len(trace.tokens) + 3, 0.123)
        fresh, steps = analysis.redecode_steps(tiny, trace, far, max_new_tokens=40)
        assert list(steps) == []
        assert fresh.tokens == trace.tokens


def test_what_if_keeps_the_calls_before_and_makes_only_those_behind(tiny):
    trace = long_story(tiny)
    changed = analysis.what_if(tiny, trace, 8, 0.999)
    assert changed.steps[:8] == trace.steps[:8]
    assert [step.index for step in changed.steps] == list(range(len(changed.steps)))
    assert any("anew from call 9" in note for note in changed.notes)
    contexts = Contexts()
    analysis.distribution(tiny, trace, 11, contexts)
    before = contexts.calls
    _, steps = analysis.redecode_steps(tiny, trace, trace.noise.with_value(8, 0.999), contexts)
    assert next(steps).num_positions == 1
    assert contexts.calls == before, "the cached context is used"


def test_changed_counts_missing_tokens():
    class Text:
        def __init__(self, *tokens):
            self.tokens = tokens

    assert analysis.changed(Text(1, 2, 3), Text(1, 5, 3, 4)) == [1, 3]
    assert analysis.changed(Text(1, 2), Text(1, 2)) == []
