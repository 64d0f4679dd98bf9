"""The app's tests take their models from a shelf with the tiny one."""

import pytest
from support.tiny_model import make_adapter, make_target, make_tokenizer, put_on_every_shelf

from app.serving.models import ModelShelf
from ptp_core.model.ptp_model import PTPModel


def tiny_load(name=None, adapter=None, *, dtype="auto", progress=None):
    if name == "missing":
        raise FileNotFoundError("There is no model 'missing'.")
    return PTPModel(make_target(context=512), make_tokenizer(), make_adapter(), name="tiny").eval()


@pytest.fixture(scope="session")
def load():
    return tiny_load


@pytest.fixture
def shelf(monkeypatch):
    shelf = ModelShelf(tiny_load)
    put_on_every_shelf(shelf, monkeypatch.setattr)
    return shelf
