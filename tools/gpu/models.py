"""The models that the programme runs: the default target with an adapter, or the tests' tiny model."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ptp_core.benchmark.questions import Question, load_questions, typed_questions
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.load import load_model

from .day import Day
from .settings import ROOT

_SPELLABLE = ("abc", "hg fe", "aabb", "d.e.f")
_TINY_PROMPTS = 160


def support() -> ModuleType:
    """tests/support/tiny_model.py, which no package holds."""
    name, file = "gpu_tiny_model", ROOT / "tests/support/tiny_model.py"
    if name not in sys.modules:
        found = importlib.util.spec_from_file_location(name, file)
        assert found is not None and found.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(found)
        found.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def tiny_model(device: str, **adapter: Any) -> PTPModel:
    """The tests' tiny model with a random adapter, on a device, in float32."""
    tiny = support()
    target = tiny.make_target(context=512).to(device)
    return PTPModel(target, tiny.make_tokenizer(), tiny.make_adapter(**adapter), name="tiny").eval()


def name_of(day: Day) -> str | None:
    """What load_model takes: None for the default target, the rehearsal's own folder."""
    return str(day.store / "tiny") if day.settings.tiny else None


def adapter_of(day: Day) -> Path:
    """The adapter that the day starts from."""
    return day.adapters / day.settings.adapter


def model_of(day: Day, device: str, dtype: str, adapter: Path | None = None, quick: bool = True) -> PTPModel:
    """The day's model; without `adapter`, with the one that it starts from."""
    return load_model(name_of(day), str(adapter or adapter_of(day)), device=device, dtype=dtype, quick=quick)


def questions_of(day: Day, count: int) -> list[Question]:
    """Dev questions, taken evenly; in the rehearsal some that its alphabet can spell."""
    if day.settings.tiny:
        return typed_questions(_SPELLABLE[:count])
    return load_questions(day.settings.questions_file, count)


def source_of(day: Day) -> str:
    """Where the prompts of the training data come from: from the model itself; in the rehearsal from a file."""
    return str(day.store / "tiny/prompts.jsonl") if day.settings.tiny else "self"


def write_tiny(day: Day) -> None:
    """The rehearsal's model, adapter and prompts on disk, as the parts would have brought them."""
    tiny = support()
    folder = day.store / "tiny"
    tiny.make_target(context=1024).save_pretrained(folder)
    tiny.make_tokenizer().save_pretrained(folder)
    tiny.save_whole(adapter_of(day), tiny.make_adapter(chain=8))
    letters = random.Random(0)
    prompts = ["".join(letters.choices(tiny.ALPHABET, k=12)) for _ in range(_TINY_PROMPTS)]
    Path(source_of(day)).write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
