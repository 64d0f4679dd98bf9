"""Race files as they come back from the world: a sentence, or a race that can be drawn and decoded again."""

import json

import pytest
from support.damage import damaged, sentence_of
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.noise.events import KINDS, NoiseRunner
from app.race.charts import accepted_lengths, tokens_against_calls
from app.race.races import RUNS, Race
from app.race.view import chunk_view, meta_view, summary_view
from app.serving import theme
from app.serving.models import ModelChoice, ModelShelf
from app.serving.values import as_value
from ptp_core import NoiseTape, generate
from ptp_core.model.ptp_model import PTPModel

SOME = 100


@pytest.fixture(scope="module")
def model():
    return PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny").eval()


@pytest.fixture(scope="module")
def whole(model):
    lanes = {
        lane: generate(model, [2, 3, 4], method, NoiseTape(1), max_new_tokens=8, draft_budget=9)
        for lane, method in (("ar", "ar"), ("ptp", "pqd"))
    }
    return json.loads(json.dumps(Race(lanes).to_dict()))


def draw(race):
    """Everything that a page shows of a race."""
    as_value({"meta": meta_view(race), "summary": summary_view(race)})
    for lane in race.lanes:
        as_value(chunk_view(race.steps(lane), 0))
        accepted_lengths(race.steps(lane), theme.CHART_COLOURS)
    tokens_against_calls({lane: race.steps(lane) for lane in race.lanes}, theme.CHART_COLOURS)
    json.dumps(race.to_dict(), allow_nan=False, ensure_ascii=False).encode()


def test_damaged_races_are_drawn_or_refused_in_a_sentence(model, whole):
    runner, drawn, refused = NoiseRunner(ModelShelf(lambda *_, **__: model)), 0, set()
    draw(Race.from_text(json.dumps(whole)))
    for i, text in enumerate(damaged(whole, SOME, seed=0)):
        try:
            race = Race.from_text(text)
        except ValueError as error:
            refused.add(sentence_of(error))
            continue
        draw(race)
        drawn += 1
        if i % 10 == 0:  # the Noise page, too
            run = RUNS.add(race)
            events = [*runner.edit(ModelChoice(), {"run": run, "edits": {"1": 0.3}})]
            for kind in KINDS:
                events += [event for event, _ in runner.draw(ModelChoice(), {"run": run, "kind": kind, "position": 1})]
            assert all(as_value(event) for event in events)
    assert drawn > 10 and len(refused) > 20, "the damage is neither harmless nor all of one kind"


def edited(whole, change):
    copied = json.loads(json.dumps(whole))
    change(copied["ptp"]["steps"], copied["ptp"])
    return json.dumps(copied)


STORIES = {
    "does not emit what it accepted": lambda steps, _: steps[0]["emitted"][0].update(token=5),
    "not those that it counts": lambda steps, _: steps[1]["drafts"][0].update(
        status="rejected" if steps[1]["drafts"][0]["status"] == "accepted" else "accepted"
    ),
    "probability that cannot be": lambda steps, _: steps[0]["emitted"][0].update(prob=1.5),
    "a draft of step": lambda steps, _: steps[1]["drafts"][0].update(prob=-0.2),
    "counts of step 1": lambda steps, _: steps[1].update(num_positions=0),
    "no token": lambda _, trace: trace.update(prompt_tokens=[-1]),
    "assumes more": lambda steps, _: steps[0]["branches"][0].update(num_assumed=9),
}


@pytest.mark.parametrize("reason", STORIES)
def test_a_trace_that_was_edited_by_hand_tells_no_false_story(whole, reason):
    with pytest.raises(ValueError, match=reason):
        Race.from_text(edited(whole, STORIES[reason]))


def test_a_race_of_a_larger_vocabulary_is_told_apart_on_the_noise_page(model, whole):
    def other(steps, trace):
        trace["prompt_tokens"] = [2, 3, 40_000]

    runner = NoiseRunner(ModelShelf(lambda *_, **__: model))
    alone = json.loads(edited(whole, other))["ptp"]
    run = RUNS.add(Race.from_dict(alone))
    for events in (
        runner.edit(ModelChoice(), {"run": run, "edits": {"1": 0.3}}),
        (event for event, _ in runner.draw(ModelChoice(), {"run": run, "kind": "sweep", "position": 1})),
    ):
        last = list(events)[-1]
        assert last["event"] == "error" and "token 40000" in last["message"]


def test_maps_of_a_model_that_changed_on_disk_are_drawn_anew(whole, tmp_path):
    loads = iter(range(9))
    parts = make_tokenizer(), make_adapter()
    shelf = ModelShelf(lambda *_, **__: PTPModel(make_target(next(loads)), *parts, name="tiny").eval())
    choice, runner, run = ModelChoice(str(tmp_path)), NoiseRunner(shelf), RUNS.add(Race.from_text(json.dumps(whole)))

    def drawn():
        event, found = list(runner.draw(choice, {"run": run, "kind": "staircase", "position": 1}))[-1]
        assert event["event"] == "map", event
        return found

    first = drawn()
    assert drawn() is first
    (tmp_path / "weights").write_text("trained on")
    assert drawn() != first
