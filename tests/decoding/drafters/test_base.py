"""The contract of drafters: a new one is a class and a row, and nothing else knows of it."""

import pytest

from ptp_core import NoiseTape, generate
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import typed_questions
from ptp_core.benchmark.runner import Lineup, run_bench
from ptp_core.decoding.decode import start_decoding
from ptp_core.decoding.drafters import DRAFTERS, Drafter, drafts, drive
from ptp_core.decoding.session import Session
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.methods import LOOKUP, TABLE, Method
from ptp_core.sampling import SamplingConfig
from ptp_core.trace import Draft


@pytest.fixture
def echo(monkeypatch):
    """A method without weights: it drafts the last token twice."""
    monkeypatch.setitem(DRAFTERS, "echo", Drafter)  # so that the registry is put back behind the test

    @drafts("echo")
    class Echo(Drafter):
        max_drafts = 2

        def propose(self, session, kept):
            token, start = session.tokens[-1], session.num_emitted
            count = min(self.max_drafts, session.remaining - 1)
            return [Draft(token, "", session.noise[start + i], 0.3, 1.0, "pending") for i in range(count)]

    row = Method("echo", "echo", "echo", "Each call checks the last token again.", LOOKUP, raced=True)
    monkeypatch.setitem(TABLE, "echo", row)
    return Echo


def test_a_new_drafter_races_the_others(make_model, echo):
    """Side by side with plain decoding and prompt lookup, on the same noise: the same texts."""
    model, accepted = make_model(adapter=False), 0
    asked = typed_questions(["abc abc", "aa", "hg", "b.b"])
    config = BenchConfig(("ar", "echo", "prompt_lookup"), max_new_tokens=24, temperature=0.3)
    rows = run_bench(Lineup(model), asked, config)
    assert {row.method for row in rows} == {"ar", "echo", "prompt_lookup"}
    for row in rows:
        assert row.identical_to_ar or (row.divergence_margin or row.divergence_gap) < 1e-5
        accepted += sum(call.accepted for call in row.calls if row.method == "echo")
    assert accepted > 0, "no draft was right: the race would prove little"


def test_without_its_row_nobody_knows_it(make_model, echo, monkeypatch):
    monkeypatch.delitem(TABLE, "echo")
    with pytest.raises(ValueError, match="Unknown method 'echo'"):
        generate(make_model(adapter=False), [3, 4], "echo")


def test_times_of_planning_call_and_drafting_come_apart(make_model, echo):
    seen = []

    class Watched(echo):
        def observe(self, step, times):
            seen.append((step, times))

    model, settings = make_model(adapter=False), DecodeSettings(max_new_tokens=9)
    drafter = Watched(model, settings, SamplingConfig())
    session = Session(model, [3, 4], NoiseTape(1), SamplingConfig(), settings, drafter.max_drafts)
    steps = list(drive(session, drafter))
    assert [step.index for step, _ in seen] == [step.index for step in steps]
    for (step, times), whole in zip(seen, steps, strict=True):
        assert min(times.plan, times.call, times.draft) >= 0
        assert step.seconds == times.call > 0
        assert whole.seconds == times.total == times.plan + times.call + times.draft
    assert seen[-1][1].draft == 0.0, "nothing is drafted behind the end"
    assert any(times.draft > 0 for _, times in seen)


def test_settings_whole_or_as_keywords(make_model):
    model, settings = make_model(), DecodeSettings(max_new_tokens=7, draft_budget=5, details=False)
    whole = [s.emitted for s in start_decoding(model, [3, 4], "pqd", NoiseTape(2), SamplingConfig(), settings)]
    keywords = {"max_new_tokens": 7, "draft_budget": 5, "details": False}
    apart = [s.emitted for s in start_decoding(model, [3, 4], "pqd", NoiseTape(2), SamplingConfig(), **keywords)]
    assert whole == apart
    assert generate(model, [3, 4], "pqd", NoiseTape(2), settings=settings).tokens == [e.token for s in whole for e in s]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be 1 or more"),
        ({"num_speculative_tokens": 65}, "between 0 and 64, got 65"),
        ({"num_speculative_tokens": True}, "num_speculative_tokens"),
        ({"draft_budget": 129}, "between 0 and 128, got 129"),
        ({"draft_budget": "much"}, "draft_budget"),
        ({"draft_rule": "likeliest"}, "draft_rule is one of argmax, pick"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        DecodeSettings(**settings)
