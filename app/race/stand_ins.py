"""What drafts where a model lacks what the chosen method needs, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.settings import RunSettings, default_budget
from ptp_core.folders import adapters_folder
from ptp_core.methods import AHEAD, BRANCHES, LOOKUP, RACED, TABLE, TURNS
from ptp_core.model.parts import PARTS
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.built_in import BUILT_IN

_BEST_FIRST = (BRANCHES, TURNS, AHEAD, LOOKUP)  # ways to draft


def stand_in(method: str, offers: Callable[[str], bool]) -> str:
    """The method itself where the model offers what it needs; else slots in branches, else prompt lookup."""
    if offers(TABLE[method].needs):
        return method
    able = [name for name in RACED if offers(TABLE[name].needs)]
    return min(able, key=lambda name: _BEST_FIRST.index(TABLE[name].drafts))


def as_it_can(model: PTPModel, settings: RunSettings) -> RunSettings:
    """The settings with a method that this model can decode by.

    A budget of "auto" becomes the stand-in's own, since it was meant for a method that knows when to stop.
    """
    method, decoding = stand_in(settings.method, model.offers), settings.decoding
    if method != settings.method and decoding.draft_budget == "auto":
        decoding = replace(decoding, draft_budget=default_budget(method))
    return replace(settings, method=method, decoding=decoding)


def why(model: PTPModel, method: str) -> list[str]:
    """A note for the run's trace on what stands in for this method, and why; none where nothing has to."""
    other = stand_in(method, model.offers)
    if other == method:
        return []
    try:
        model.require_part(TABLE[method].needs)
    except ValueError as error:
        return [f"{error} So {TABLE[other].short} drafts here in place of {TABLE[method].short}."]
    return []


def method_choices(model: str) -> list[tuple[str, str]]:
    """The menu of methods for one of the lab's models: (label, name). Labels say what stands in for a method."""

    def offers(need: str) -> bool:
        folder = adapters_folder() / BUILT_IN[model].adapter
        return not need or (folder.is_dir() if need == "adapter" else (folder / PARTS[need].file).is_file())

    others = {name: stand_in(name, offers) for name in RACED}
    return [
        (TABLE[name].label if other == name else f"{TABLE[name].label} (here: {TABLE[other].short})", name)
        for name, other in others.items()
    ]
