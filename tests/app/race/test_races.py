"""Races: recorded ones, stopped ones, files."""

import json
from dataclasses import replace

import pytest

from app.race.races import Race, recorded_for, recorded_names, recorded_race
from app.race.view import chunk_view, steps_view, summary_view
from app.settings import RunSettings


def test_a_lane_that_was_stopped_is_neither_different_nor_timed():
    whole = recorded_race("sky")
    ar, ptp = whole.lanes["ar"], whole.lanes["ptp"]
    assert whole.is_even and summary_view(whole)["speedup"] is not None
    stopped = Race({"ar": ar, "ptp": replace(ptp, steps=ptp.steps[:4])})
    assert not stopped.is_even
    assert stopped.first_divergence is None
    assert summary_view(stopped)["speedup"] is None
    token = ptp.steps[0].emitted[0]
    wrong = replace(ptp.steps[0], emitted=[replace(token, token=token.token + 1)])
    other = Race({"ar": ar, "ptp": replace(ptp, steps=[wrong, *ptp.steps[1:3]])})
    assert (other.first_divergence, other.is_even) == (0, True)


def test_a_link_to_a_recorded_race_is_recognised():
    for name in recorded_names():
        prompt = recorded_race(name).lanes["ptp"].prompt
        assert recorded_for(RunSettings(prompt)) == name
        assert recorded_for(RunSettings(prompt, seed=8)) is None


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
