"""Races: recorded ones, stopped ones, files."""

import json
from dataclasses import replace

import pytest

from app.race.examples import EXAMPLES
from app.race.races import Race, recorded_for, recorded_names, recorded_race
from app.race.view import chunk_view, steps_view, summary_view
from app.settings import RunSettings
from ptp_core.speedup import CHANGED, SHORT
from ptp_core.storage.built_in import DEFAULT


def test_a_lane_that_was_stopped_is_compared_at_equal_tokens():
    whole = recorded_race("sky")
    ar, ptp = whole.lanes["ar"], whole.lanes["ptp"]
    assert 1 < summary_view(whole)["speedup"] < 2
    stopped = Race({"ar": ar, "ptp": replace(ptp, steps=ptp.steps[:4])})
    assert stopped.first_divergence is None
    few, told = len(stopped.lanes["ptp"].tokens), summary_view(stopped)
    assert told["fair"]["tokens"] == few and told["fair"]["calls"] == (few, 4), "calls for the same tokens"
    assert (told["speedup"], told["fair"]["why"]) == (None, SHORT)
    half = Race({"ar": ar, "ptp": replace(ptp, steps=ptp.steps[:25])})
    assert summary_view(half)["speedup"] == pytest.approx(summary_view(whole)["speedup"], rel=0.1)
    token = ptp.steps[0].emitted[0]
    wrong = replace(ptp.steps[0], emitted=[replace(token, token=token.token + 1)])
    other = Race({"ar": ar, "ptp": replace(ptp, steps=[wrong, *ptp.steps[1:3]])})
    assert other.first_divergence == 0
    assert Race({"ar": ar}).comparison is None


def test_a_race_on_a_machine_that_slowed_down_has_no_speed_up():
    whole = recorded_race("sky")
    ar, ptp = whole.lanes["ar"], whole.lanes["ptp"]
    slowed = replace(ar, steps=[replace(step, seconds=2 * step.seconds) for step in ar.steps])
    told = summary_view(Race({"ar": slowed, "ptp": ptp}))
    assert (told["speedup"], told["fair"]["why"]) == (None, CHANGED), "2.5 times as fast at 1.7 tokens per call"
    read_slowly = [replace(ar.steps[0], seconds=60.0), *ar.steps[1:]]
    again = summary_view(Race({"ar": replace(ar, steps=read_slowly), "ptp": ptp}))
    assert again["speedup"] == summary_view(whole)["speedup"], "reading the prompt is no part of it"


def test_recorded_races_have_figures_that_can_be():
    for name in recorded_names():
        told = summary_view(recorded_race(name))
        calls = told["fair"]["calls"]
        assert told["fair"]["why"] == "" and told["speedup"] < calls[0] / calls[1], name
        assert told["speedup"] > 1 or EXAMPLES[name].model != DEFAULT, name


def test_a_link_to_a_recorded_race_is_recognised():
    for name in recorded_names():
        prompt = recorded_race(name).lanes["ptp"].prompt
        model = EXAMPLES[name].model
        assert recorded_for(RunSettings(prompt, model)) == name
        assert recorded_for(RunSettings(prompt, model, seed=8)) is None


def test_chunks_cover_a_race_whatever_their_size():
    race = recorded_race("sky")
    for lane in ("ar", "ptp"):
        steps = []
        while len(steps) < len(race.steps(lane)):
            chunk = chunk_view(race.steps(lane), len(steps))
            assert chunk["steps"]
            assert len(json.dumps(chunk)) < 100_000
            steps += chunk["steps"]
        assert steps == steps_view(race.steps(lane))


def test_files_of_a_race():
    race = recorded_race("sky")
    again = Race.from_text(json.dumps(race.to_dict()))
    assert again.lanes == race.lanes
    single = Race.from_text(json.dumps(race.lanes["ptp"].to_dict()))
    assert set(single.lanes) == {"ptp"}
    mixed = {**race.to_dict(), "ar": recorded_race("code").to_dict()["ar"]}
    with pytest.raises(ValueError, match="not one race"):
        Race.from_text(json.dumps(mixed))


def test_halves_of_characters_are_replaced_in_prompts_and_files():
    assert RunSettings.parse(prompt="a\ud83d b").prompt == "a\ufffd b"
    assert RunSettings.parse(prompt="\U0001f600").prompt == "\U0001f600"
    data = recorded_race("sky").to_dict()
    data["ar"]["steps"][0]["emitted"][0]["text"] = "x\ud83d"
    data["ptp"]["prompt"] = data["ar"]["prompt"] = "\U0001f600"
    race = Race.from_text(json.dumps(data))  # written as escapes
    assert race.lanes["ar"].emitted[0].text == "x\ufffd"
    assert race.lanes["ar"].prompt == "\U0001f600"
    assert race.origin == "uploaded"
    json.dumps(steps_view(race.steps("ar")), ensure_ascii=False).encode()
