"""What a run tells the page, from the first event to the last."""

import pickle
from types import SimpleNamespace

import pytest
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.race import requests
from app.race.events import RaceRunner, decode_seconds, in_turns
from app.race.races import RUNS
from app.race.stand_ins import method_choices
from app.race.view import steps_view
from app.serving.models import ModelChoice, ModelShelf
from app.serving.values import as_value
from app.settings import RunSettings
from ptp_core.methods import RACED, TABLE
from ptp_core.model.ptp_model import PTPModel
from ptp_core.speedup import STRETCH


def test_events_of_a_run(runner):
    events = list(runner.run(ModelChoice(), {"prompt": "abc", "seed": 3, "max_new_tokens": 12}))
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert set(kinds[1:-1]) <= {"loading", "steps"}
    race = RUNS.get(events[-1]["run"])
    assert race.first_divergence is None
    for lane in ("ar", "ptp"):
        told = [step for e in events if e["event"] == "steps" and e["lane"] == lane for step in e["chunk"]["steps"]]
        assert told == steps_view(race.steps(lane))
    assert all(len(as_value(event)) < 100_000 for event in events)


def test_lanes_take_turns_in_short_stretches():
    """A change of the machine's speed hits both lanes, and neither is always the first."""
    plain = [SimpleNamespace(emitted=[0])] * 40
    parallel = [SimpleNamespace(emitted=[0, 0, 0])] * 10  # ends early
    order = list(in_turns([iter(plain), iter(parallel)]))
    assert [sum(len(step.emitted) for i, step in order if i == lane) for lane in (0, 1)] == [40, 30]
    turns = [i for j, (i, _) in enumerate(order) if not j or order[j - 1][0] != i]
    assert turns[:5] == [0, 1, 0, 1, 0]  # 0 1 | 1 0 | 0 1 | 1 0 and so on: stretches beside each other join
    done = [0, 0]
    for i, step in order[:30]:
        done[i] += len(step.emitted)
        assert abs(done[0] - done[1]) <= 2 * STRETCH + 2


def test_errors_of_a_run_are_events(runner):
    assert list(runner.run(ModelChoice(), {"prompt": " "}))[-1] == {"event": "error", "message": "Type a prompt first."}
    long = list(runner.run(ModelChoice(), {"prompt": "abc " * 5_000}))[-1]
    assert "tokens; with" in long["message"]
    missing = list(runner.run(ModelChoice("missing"), {"prompt": "abc"}))[-1]
    assert "no model 'missing'" in missing["message"]
    assert not runner.shelf.is_loaded(ModelChoice("missing"))


def test_a_template_with_a_clock_is_rendered_once_for_both_lanes(runner, monkeypatch):
    model, ticks = runner.shelf.get(ModelChoice()), iter("abcdefgh" * 9)
    monkeypatch.setattr(type(model), "render_messages", lambda self, messages: messages[0]["content"] + next(ticks))
    done = list(runner.run(ModelChoice(), {"prompt": "abc", "max_new_tokens": 12}))[-1]
    race = RUNS.get(done["run"])
    assert len({tuple(trace.prompt_tokens) for trace in race.lanes.values()}) == 1
    assert race.first_divergence is None


def test_a_model_with_less_context_than_the_answer_says_so():
    shelf = ModelShelf(lambda *_, **__: PTPModel(make_target(context=40), make_tokenizer(), name="short").eval())
    told = list(RaceRunner(shelf).run(ModelChoice(), {"prompt": "abc", "max_new_tokens": 64}))[-1]["message"]
    assert told == "short reads 40 tokens at most, its answer included. Ask for fewer than 64."
    assert list(RaceRunner(shelf).run(ModelChoice(), {"prompt": "abc", "max_new_tokens": 30}))[-1]["event"] == "done"


def test_what_the_browser_asks_for_directly_never_raises():
    for request in ({}, {"run": "gone", "lane": "ar", "start": 0}, {"run": "recorded:sky", "lane": "x", "start": "y"}):
        assert "error" in requests.fetch_steps(request)
    assert "error" in requests.export_run({"run": "gone"})
    assert "error" in requests.open_file({"text": "{}"})
    assert "error" in requests.open_file({})


def test_a_process_of_its_own_can_decode(runner):
    """What a ZeroGPU Space does: arguments and results are copied between processes, nothing is shared."""
    inner = runner.decode

    def copied(*arguments):
        for part in inner(*pickle.loads(pickle.dumps(arguments))):
            yield pickle.loads(pickle.dumps(part))

    runner.decode = copied
    events = list(runner.run(ModelChoice(), {"prompt": "abc", "max_new_tokens": 12}))
    assert events[-1]["event"] == "done"
    assert events[-1]["summary"]["lanes"]["ptp"]["tokens"] == 12
    assert decode_seconds(ModelChoice(), [RunSettings("a")] * 2) < 60


@pytest.mark.parametrize("method", RACED)
def test_the_parallel_lane_drafts_as_it_is_told(runner, method):
    events = list(
        runner.run(ModelChoice(), {"prompt": "abcabcabc", "method": method, "draft_budget": 3, "max_new_tokens": 24})
    )
    assert events[-1]["event"] == "done", events[-1]
    assert events[-1]["meta"]["methods"] == {"ar": "ar", "ptp": method}
    assert events[-1]["summary"]["divergence"] is None
    assert events[-1]["summary"]["drafted"]
    assert (f"method={method}" in events[0]["query"]) == (method != "shallow")


def test_an_adapter_without_shallow_slots_drafts_in_branches():
    def load(name=None, adapter=None, *, dtype="auto", progress=None):
        return PTPModel(make_target(context=512), make_tokenizer(), make_adapter(shallow=None), name="plain").eval()

    runner = RaceRunner(ModelShelf(load))
    events = list(runner.run(ModelChoice(), {"prompt": "abc", "method": "shallow", "max_new_tokens": 12}))
    assert events[-1]["event"] == "done", events[-1]
    assert events[-1]["meta"]["methods"] == {"ar": "ar", "ptp": "pqd"}
    assert events[-1]["summary"]["drafted"]  # "auto" is for shallow slots, branches get slots of their own
    note = "The adapter of plain has no shallow slots. So PQD drafts here in place of shallow PTP."
    assert events[-1]["meta"]["notes"].count(note) == 1
    events = list(runner.run(ModelChoice(), {"prompt": "abc", "method": "pqd", "max_new_tokens": 12}))
    assert note not in events[-1]["meta"]["notes"]


def test_the_menu_says_what_stands_in_for_a_method():
    assert method_choices("smollm2-135m") == [(TABLE[name].label, name) for name in RACED]
    found = {name: label for label, name in method_choices("ptp-small")}
    assert list(found) == list(RACED)
    assert found["shallow"] == "shallow PTP (here: PQD)" and found["pqd"] == TABLE["pqd"].label


def test_a_model_without_an_adapter_races_by_prompt_lookup():
    def load(name=None, adapter=None, *, dtype="auto", progress=None):
        return PTPModel(make_target(context=512), make_tokenizer(), name="plain").eval()

    runner = RaceRunner(ModelShelf(load))
    events = list(runner.run(ModelChoice("plain"), {"prompt": "abcabcabcabc", "max_new_tokens": 24}))
    assert events[-1]["event"] == "done", events[-1]
    assert events[-1]["meta"]["methods"] == {"ar": "ar", "ptp": "prompt_lookup"}
    assert any("no PTP adapter" in note and "prompt lookup drafts here" in note for note in events[-1]["meta"]["notes"])
    assert events[-1]["summary"]["divergence"] is None
    assert events[0]["query"] is None, "a link would run another model"
