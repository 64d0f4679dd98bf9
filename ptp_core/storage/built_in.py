"""The targets that come with the lab, and the adapters that belong to each.

The default target is brought by pip (default_target.py). The others lie in assets/models, in eight bits by row.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from ..folders import models_folder
from ..refusals import reason
from .default_target import TARGET_INFO, TARGET_NAME, sha256
from .eight_bits import decode, is_encoded

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class BuiltIn:
    """A target of the lab.

    title, short   what pages call it
    adapter        its PTP adapter in assets/adapters
    blind_adapter  the twin that was trained without u
    chats          whether it answers questions; otherwise it continues what is typed
    """

    title: str
    short: str
    adapter: str
    blind_adapter: str
    chats: bool = True


DEFAULT = "smollm2-135m"
BUILT_IN: dict[str, BuiltIn] = {
    DEFAULT: BuiltIn(TARGET_NAME, "SmolLM2", "smollm2-135m-ptp", "smollm2-135m-u-blind"),
    "ptp-small": BuiltIn("PTP-Small", "PTP-Small", "ptp-small-ptp", "ptp-small-u-blind", chats=False),
}


def built_in(name: str | os.PathLike[str] | None) -> BuiltIn | None:
    """The lab's own target of this name, which None stands for the default of; None for a folder or a hub id."""
    if name is None:
        return BUILT_IN[DEFAULT]
    return None if Path(name).is_dir() else BUILT_IN.get(str(name))


def target_folder(name: str) -> Path | None:
    """Where a built-in target lies that needs no download; None for all other names."""
    folder = models_folder() / name
    return folder if name != DEFAULT and built_in(name) and folder.is_dir() else None


def is_here(name: str) -> bool:
    """Whether this built-in target can be loaded: it came with the lab, or pip brings it."""
    return name == DEFAULT or target_folder(name) is not None


def target_info(name: str) -> dict[str, Any]:
    """What adapters quote of a built-in target: its name, its file and the file's hash."""
    if name == DEFAULT:
        return dict(TARGET_INFO)
    return {"name": name, "file": WEIGHTS, "sha256": sha256(models_folder() / name / WEIGHTS)}


def in_eight_bits(folder: str | os.PathLike[str]) -> bool:
    """Whether this model folder's weights are stored in eight bits by row."""
    file = Path(folder) / WEIGHTS
    if not file.is_file():
        return False
    try:
        with safe_open(file, "pt") as tensors:
            return is_encoded(tensors.keys())
    except SafetensorError:
        return False


def load_eight_bits(folder: str | os.PathLike[str], dtype: torch.dtype) -> Any:
    """The causal LM of a folder whose weights are stored in eight bits; they become numbers of this dtype.

    ValueError if weights are missing, foreign or damaged.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        weights = decode(load_file(Path(folder) / WEIGHTS))
    except SafetensorError as error:
        raise ValueError(f"The weights of {str(folder)!r} are damaged or cut off: {reason(error)}") from None
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
    found = model.load_state_dict(weights, strict=False)
    tied = set(model.all_tied_weights_keys) if model.config.tie_word_embeddings else set()
    missing = sorted(set(found.missing_keys) - tied)
    if missing or found.unexpected_keys:
        odd = (missing or sorted(found.unexpected_keys))[0]
        raise ValueError(f"The weights of {str(folder)!r} do not fit its config.json: {odd} is on one side only.")
    model.tie_weights()
    return model.to(dtype)
