"""Drafts that do not know the noise: what every map sets beside the target and the PTP draft.

They are the likeliest tokens of an adapter that was trained without u. Some targets have no such adapter. Then the
model's own adapter drafts, and its slots are not told u. That is a weaker baseline, and the map says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ..folders import adapters_folder
from ..model.ptp_model import PTPModel
from ..model.second_adapter import with_adapter
from ..storage.adapter_files import load_adapter, trained_for
from ..storage.built_in import BUILT_IN
from ..trace import Trace
from .contexts import Contexts
from .position import Place

_BESIDE: WeakKeyDictionary[PTPModel, PTPModel] = WeakKeyDictionary()


@dataclass(frozen=True)
class Blind:
    """Whose slots drafted without u: the adapter's name, and whether it was trained without u."""

    adapter: str
    trained: bool


def blind_model(model: PTPModel) -> PTPModel:
    """The model with an adapter that was trained without u, on the same target weights: its own, or the shipped one.

    The model itself where there is none. ValueError without an adapter.
    """
    if not model.require_adapter().reads_u:
        return model
    if model not in _BESIDE:
        weights = model.target_info.get("sha256")
        for folder in (adapters_folder() / known.blind_adapter for known in BUILT_IN.values()):
            if weights is not None and folder.is_dir() and trained_for(folder) == weights:
                _BESIDE[model] = with_adapter(model, load_adapter(folder))
    return _BESIDE.get(model, model)


def blind_place(model: PTPModel, trace: Trace, position: int, contexts: Contexts | None) -> tuple[Place, Blind]:
    """The place, opened for the model that drafts without u, and who that is."""
    found = blind_model(model)
    config = found.require_adapter()
    return Place(found, trace, position, contexts), Blind(config.name, not config.reads_u)
