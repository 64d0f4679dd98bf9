"""The models that the programme runs: the default target with an adapter, or the tests' tiny model."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ptp_core.benchmark.questions import Question, load_questions, typed_questions
from ptp_core.model import attention
from ptp_core.model.config import AdapterConfig
from ptp_core.model.parts import new_adapter
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.load import load_model

from .day import Day
from .settings import ROOT

_SPELLABLE = ("abc", "hg fe", "aabb", "d.e.f")
_TINY_PROMPTS = 160
_CHAIN = 1152  # width of the chain head, as the default adapter's


def support() -> ModuleType:
    """tests/support/tiny_model.py, which no package holds."""
    name, file = "gpu_tiny_model", ROOT / "tests/support/tiny_model.py"
    if name not in sys.modules:
        found = importlib.util.spec_from_file_location(name, file)
        assert found is not None and found.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(found)
        found.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def tiny_model(device: str, dtype: torch.dtype = torch.float32, **adapter: Any) -> PTPModel:
    """The tests' tiny model with a random adapter, on a device."""
    tiny = support()
    target = _as_loaded(tiny.make_target(context=512), device, dtype)
    return PTPModel(target, tiny.make_tokenizer(), tiny.make_adapter(**adapter), name="tiny").eval()


def _as_loaded(target: Any, device: str, dtype: torch.dtype) -> Any:
    """The target on a device, where attention runs as load_model has it run: what is timed is what is used."""
    attention.avoid_cudnn()
    return target.to(device, dtype)


def name_of(day: Day) -> str | None:
    """What load_model takes: None for the default target, the rehearsal's own folder."""
    return str(day.store / "tiny") if day.settings.tiny else None


def adapter_of(day: Day) -> Path:
    """The adapter that the day starts from."""
    return day.adapters / day.settings.adapter


def model_of(
    day: Day, device: str, dtype: str, adapter: Path | None = None, quick: bool = True, engine: str = "auto"
) -> PTPModel:
    """The day's model; without `adapter`, with the one that it starts from."""
    found = str(adapter or adapter_of(day))
    return load_model(name_of(day), found, device=device, dtype=dtype, quick=quick, engine=engine)


def random_model(day: Day, dtype: torch.dtype, adapter: bool = False) -> PTPModel:
    """Random weights of the default target's sizes, and a fresh adapter of the usual kind; tiny in the rehearsal."""
    tiny = support()
    if day.settings.tiny:
        small = _as_loaded(tiny.make_target(context=512), day.device, dtype)
        return PTPModel(small, tiny.make_tokenizer(), tiny.make_adapter() if adapter else None, name="random").eval()
    torch.manual_seed(0)
    target: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
            num_key_value_heads=3, max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=None,
        )
    )  # fmt: skip
    target = _as_loaded(target, day.device, dtype).eval()
    target.set_attn_implementation(attention.NAME)
    found = new_adapter(target, AdapterConfig(chain=_CHAIN)) if adapter else None
    return PTPModel(target, tiny.make_tokenizer(), found, name="random").eval()


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
