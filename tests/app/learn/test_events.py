"""Training on the server, as the Learn page asks for it."""

import pytest

from app.learn import events
from app.learn.events import fetch_learn, train
from app.serving.store import TICKETS, until_stopped


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(events, "STEPS", 6)
    monkeypatch.setattr(events, "EVERY", 2)
    monkeypatch.setattr(events, "SIDE", 8)


@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp", "independent", "inverse"])
def test_a_training_streams_its_measurements(variant):
    found = list(train(variant, 0))
    assert [event["kind"] for event in found] == ["start", "step", "step", "step", "done"]
    step = found[-2]["step"]
    assert step["step"] == 6
    assert len(step["square"]) == 64
    assert 0 <= step["invalid"] <= 1
    assert found[-1]["text"].startswith("Done: 6 steps")


@pytest.mark.slow
def test_a_training_is_a_function_of_its_seed():
    first, again, other = (list(train("o-ptp", seed))[-2]["step"] for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("variant", "seed", "says"),
    [
        ("o-ptp", -1, "seed"), ("o-ptp", 1.5, "seed"), ("o-ptp", None, "seed"), ("o-ptp", True, "seed"),
        ("gpt", 0, "train"), (None, 0, "train"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(variant, seed, says):
    (event,) = train(variant, seed)
    assert event["kind"] == "done"
    assert says in event["text"]


def test_a_training_ends_after_its_minute():
    ticks = iter(range(0, 10_000, 40))
    found = list(train("c-ptp", 0, clock=lambda: next(ticks)))
    assert found[-1]["text"].startswith("Stopped after")
    assert [event["kind"] for event in found].count("step") < 3


def test_two_visitors_do_not_mix_and_stop_ends_one():
    mine, other = until_stopped("mine", train("o-ptp", 1)), until_stopped("other", train("o-ptp", 2))
    assert next(mine)["ticket"] == "mine"
    assert next(other)["ticket"] == "other"
    first, second = next(mine), next(other)
    assert first["step"] != second["step"]
    TICKETS.stop("mine")
    assert list(mine) == []
    assert [event["kind"] for event in other] == ["step", "step", "done"]


def test_data_is_known_by_name():
    assert fetch_learn("glossary").startswith("[")
    with pytest.raises(ValueError, match="no data named"):
        fetch_learn("../../etc/passwd")
