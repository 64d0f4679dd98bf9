"""Loaded models, and whose they may be."""

from app.serving import models
from app.serving.models import ModelChoice


def test_models_are_loaded_once_and_the_default_stays(shelf):
    first = shelf.get(ModelChoice())
    assert shelf.get(ModelChoice()) is first
    for name in ("a", "b", "c"):
        shelf.get(ModelChoice(name))
    assert shelf.get(ModelChoice()) is first
    assert not shelf.is_loaded(ModelChoice("a"))
    assert shelf.is_loaded(ModelChoice("c"))


def test_own_models_are_off_on_a_public_space(monkeypatch):
    assert models.models_allowed()
    monkeypatch.setenv("SPACE_ID", "someone/space")
    assert not models.models_allowed()
    monkeypatch.setenv("PTP_LAB_OWN_MODELS", "1")
    assert models.models_allowed()
