"""What the process keeps for its visitors."""

import pytest

from app.race.races import RUNS, recorded_race
from app.serving.models import ModelChoice
from app.serving.store import Gone, Store, Tickets, until_stopped


def test_a_store_forgets_the_oldest_and_never_mixes_its_things():
    store = Store(2, "It is gone.")
    things = [object() for _ in range(3)]
    ids = [store.add(thing) for thing in things]
    assert len(set(ids)) == 3
    assert store.get(ids[2]) is things[2]
    assert store.find(ids[0]) is None
    with pytest.raises(Gone, match="It is gone"):
        store.get(ids[0])


def test_what_is_renewed_in_place_is_the_newest():
    store = Store(2)
    first = store.add("a")
    store.put("other", "b")
    store.put(first, "c")
    store.put("third", "d")
    assert (store.find(first), store.find("other")) == ("c", None)


def test_maps_are_kept_by_model():
    store = Store(2)
    store.put((ModelChoice(), "run", "square", 3), "one")
    assert store.find((ModelChoice(dtype="bfloat16"), "run", "square", 3)) is None
    assert store.find((ModelChoice(), "run", "square", 3)) == "one"


def test_recorded_races_are_there_by_name_and_nothing_else_is():
    assert RUNS.get("recorded:sky") is recorded_race("sky")
    for name in ("recorded:../../secret", "recorded:", "sky"):
        with pytest.raises(Gone, match="no longer in memory"):
            RUNS.get(name)


def test_a_stopped_ticket_ends_its_events_and_no_others():
    tickets = Tickets(capacity=2)
    for ticket in ("a", "b", "c"):
        tickets.stop(ticket)
    assert [tickets.is_stopped(ticket) for ticket in ("a", "b", "c", "d")] == [False, True, True, False]
    assert list(until_stopped("nobody stopped this", iter([{"event": "x"}]))) == [
        {"event": "x", "ticket": "nobody stopped this"}
    ]
