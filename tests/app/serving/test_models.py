"""Loaded models, and whose they may be."""

import pytest

from app.race.events import RaceRunner
from app.serving import models
from app.serving.models import ModelChoice


def test_models_are_loaded_once_and_the_default_stays(fresh_shelf):
    shelf = fresh_shelf
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


def test_what_a_visitor_typed_means_one_model(monkeypatch):
    assert ModelChoice.parse() == ModelChoice.parse(" default ", None) == ModelChoice()
    assert ModelChoice.parse("org/name", "none", "bfloat16") == ModelChoice("org/name", "none", "bfloat16")
    monkeypatch.setenv("PTP_LAB_OWN_MODELS", "0")
    assert ModelChoice.parse("org/name", "none", "bfloat16") == ModelChoice()
    assert ModelChoice.of_text(ModelChoice("org/name").text) == ModelChoice(), "a text made by hand brings no model"


def test_the_browser_keeps_the_choice():
    for choice in (ModelChoice(), ModelChoice("a b/c", "none", "bfloat16"), ModelChoice(adapter="x")):
        assert ModelChoice.of_text(choice.text) == choice
    assert ModelChoice.of_text("") == ModelChoice()
    for broken in ("[", "[1]", "{}", "7", '["a", 5, "auto"]'):
        with pytest.raises(ValueError, match="Reload it"):
            ModelChoice.of_text(broken)


def test_what_was_read_of_texts_goes_with_its_model(fresh_shelf):
    read = fresh_shelf.contexts(ModelChoice("a"))
    fresh_shelf.get(ModelChoice("a"))
    assert fresh_shelf.contexts(ModelChoice("a")) is read
    for name in ("b", "c"):
        fresh_shelf.get(ModelChoice(name))
    assert fresh_shelf.contexts(ModelChoice("a")) is not read


def test_a_folder_that_changes_on_disk_is_loaded_anew(fresh_shelf, tmp_path):
    for name in ("model", "adapter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("1")
    choice = ModelChoice(str(tmp_path / "model"), str(tmp_path / "adapter"))
    first, read = fresh_shelf.get(choice), fresh_shelf.contexts(choice)
    assert fresh_shelf.get(choice) is first
    (tmp_path / "adapter" / "weights").write_text("22")
    second = fresh_shelf.get(choice)
    assert second is not first and fresh_shelf.contexts(choice) is not read
    assert fresh_shelf.get(choice) is second


def test_what_other_libraries_raise_is_a_sentence_on_the_page(monkeypatch):
    def failing(*_, **__):
        raise ImportError("\nUsing AWQ needs autoawq.\nPlease install it.")

    events = list(RaceRunner(models.ModelShelf(failing)).run(ModelChoice("org/awq"), {"prompt": "abc"}))
    assert events[-1] == {"event": "error", "message": "Using AWQ needs autoawq."}
