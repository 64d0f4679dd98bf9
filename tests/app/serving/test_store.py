"""What the process keeps for its visitors."""

import pytest

from app.noise.events import MapStore
from app.race.races import Race, RunStore
from app.serving.models import ModelChoice


def test_maps_are_kept_by_model(shelf):
    store = MapStore(2)
    store.add((ModelChoice(), "run", "square", 3), "one")
    assert store.get((ModelChoice(dtype="bfloat16"), "run", "square", 3)) is None
    assert store.get((ModelChoice(), "run", "square", 3)) == "one"


def test_a_store_forgets_the_oldest_and_never_mixes_runs():
    store = RunStore(capacity=2)
    races = [Race() for _ in range(3)]
    runs = [store.add(race) for race in races]
    assert store.get(runs[2]) is races[2]
    with pytest.raises(KeyError):
        store.get(runs[0])
    with pytest.raises(KeyError):
        store.get("recorded:../../secret")
