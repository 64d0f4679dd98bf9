"""The app's tests hand it a shelf whose models are tiny."""

import pytest
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.race.events import RaceRunner
from app.serving.models import ModelShelf
from ptp_core.model.ptp_model import PTPModel


def tiny_load(name=None, adapter=None, *, dtype="auto", progress=None):
    """Stands in for load_model: a tiny model, without an adapter for "none", an error for "missing"."""
    if name == "missing":
        raise FileNotFoundError("There is no model 'missing'.")
    found = None if adapter == "none" else make_adapter()
    return PTPModel(make_target(context=512), make_tokenizer(), found, name="tiny").eval()


@pytest.fixture(scope="session")
def shelf():
    return ModelShelf(tiny_load)


@pytest.fixture
def fresh_shelf():
    """A shelf of the test's own, with nothing on it yet."""
    return ModelShelf(tiny_load)


@pytest.fixture
def runner(shelf):
    return RaceRunner(shelf)
