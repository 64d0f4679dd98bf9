"""Live runs of the Acceptance page, without a browser."""

from __future__ import annotations

import json

import pytest

from app.acceptance import events as live
from app.acceptance.events import LiveBench, LiveSettings
from app.acceptance.exhibits import exhibits_view
from app.acceptance.look import Look
from app.acceptance.results import Results
from app.acceptance.shown import Shown
from app.serving.models import ModelChoice
from app.serving.store import TICKETS, until_stopped
from app.serving.values import as_value
from ptp_core.benchmark.questions import load_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.decoding import threads

RAW = {
    "source": "own", "prompts": "abc\n\nhg fe", "count": 2, "methods": ["pqd"], "tokens": 8, "temperature": 0.7,
    "budget": "8", "seed": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(shelf):
    return LiveBench(shelf, Results())


def test_a_live_run_streams_and_its_result_is_whole(bench):
    events = list(bench.run(ModelChoice(), "t1", RAW))
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    steps = [event for event in events if event["event"] == "progress"]
    assert steps[-1]["done"] == steps[-1]["total"] == 4
    result = bench.results.get(events[-1]["result"]).result
    assert result.complete
    assert [q.prompt for q in result.questions] == ["abc", "hg fe"]
    assert [r.seed for r in result.rows if r.method == "pqd"] == [3, 4]
    assert all(row.identical_to_ar for row in result.rows)
    assert BenchResult.from_dict(json.loads(json.dumps(result.to_dict()))).rows == result.rows
    assert all(len(as_value(event)) < 2_000 for event in events), "progress carries no result"


def test_a_live_run_takes_the_threads_that_the_watch_had_chosen(bench, monkeypatch):
    watch = threads.Watch(2)
    watch.threads = 1  # the machine is busy
    monkeypatch.setattr(threads, "_watch", watch)
    result = bench.results.get(list(bench.run(ModelChoice(), "t8", RAW))[-1]["result"]).result
    assert (result.environment["threads"], result.config.threads) == (1, 1)
    assert result.environment["thread_choice"]["how"] == "watched"
    taken = []
    monkeypatch.setattr(threads.torch, "set_num_threads", taken.append)
    watch.threads = 2  # quiet again, but a run keeps its number
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: 1)
    bench.answer(ModelChoice(), result.config, "t8", result.questions[0], [3, 4], result.config.jobs()[0], 1, {})
    assert taken == []


def test_a_live_run_of_shallow_slots_can_be_looked_at(bench):
    raw = {**RAW, "methods": ["shallow", "shallow_lookup"], "budget": 3}
    found = bench.results.get(list(bench.run(ModelChoice(), "t9", raw))[-1]["result"])
    assert [r.method for r in found.result.rows[:3]] == ["ar", "shallow", "shallow_lookup"]
    for method in raw["methods"]:
        bounds = found.analysis(method, "", None)["bounds"]
        assert bounds["cost_bound"]["speedup"] >= 1
        assert exhibits_view(Look(found, method))


def test_a_stopped_run_keeps_the_answers_so_far(bench):
    events = []
    for event in until_stopped("t2", bench.run(ModelChoice(), "t2", RAW)):
        events.append(event)
        if event.get("done") == 2:
            TICKETS.stop("t2")
    kept = bench.results.get(events[-1]["result"]).result
    assert len(kept.rows) == 2
    assert not kept.complete
    assert exhibits_view(Look(Shown(kept, "kept", "live"), "pqd"))


def test_stop_reaches_a_run_between_two_calls(bench, monkeypatch):
    from ptp_core.decoding.session import Session

    calls, plain = [], Session.call

    def call(self, *arguments):
        calls.append(1)
        if len(calls) == 12:
            TICKETS.stop("t3")
        return plain(self, *arguments)

    monkeypatch.setattr(Session, "call", call)
    raw = {**RAW, "tokens": 200, "prompts": "abc\nhg fe\naabb\nd.e.f"}
    events = list(bench.run(ModelChoice(), "t3", raw))
    assert "done" not in [event["event"] for event in events]
    assert len(calls) == 12, "the call that was running is the last one"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompts": " \n "}, "Type a prompt"),
        ({"prompts": "abc\n" * 60}, "at most"),
        ({"prompts": "a" * 30_000}, "characters"),
        ({"methods": []}, "Choose a method"),
        ({"methods": ["hf_generate"]}, "does not run"),
        ({"tokens": 10_000}, "tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"budget": "lots"}, "draft budget"),
        ({"seed": None}, "seed"),
        ({"source": "shipped", "count": 1_000}, "between 1 and"),
        ({"source": "shipped", "count": None}, "must be a number"),
        ({"prompts": "abc " * 4_000}, "tokens; this lab takes"),
    ],
)
def test_a_live_run_says_what_is_wrong(bench, change, reason):
    last = list(bench.run(ModelChoice(), "t4", {**RAW, **change}))[-1]
    assert last["event"] == "error"
    assert reason in last["message"]


def test_a_model_without_adapter_says_so(bench):
    last = list(bench.run(ModelChoice(None, "none"), "t5", RAW))[-1]
    assert last["event"] == "error"
    assert "adapter" in last["message"]
    lookup = list(bench.run(ModelChoice(None, "none"), "t6", {**RAW, "methods": ["prompt_lookup"]}))[-1]
    assert lookup["event"] == "done"
    assert exhibits_view(Look(bench.results.get(lookup["result"]), "prompt_lookup"))


def test_a_public_server_takes_little(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/lab")
    monkeypatch.delenv("PTP_LAB_OWN_MODELS", raising=False)
    assert live.limits() == (10, 64)
    with pytest.raises(ValueError, match="At most 64 tokens"):
        LiveSettings.parse(**{**RAW, "tokens": 65})
    with pytest.raises(ValueError, match="at most 10"):
        LiveSettings.parse(**{**RAW, "prompts": "abc\n" * 11})


def test_the_shipped_questions_are_taken_evenly():
    every = load_questions(live.QUESTIONS_FILE)
    few = LiveSettings.parse(**{**RAW, "source": "shipped", "count": 10}).questions
    assert len({q.category for q in few}) > 3
    assert set(few) <= set(every)
