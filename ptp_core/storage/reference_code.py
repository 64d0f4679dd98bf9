"""Checkpoints of the paper's reference code (Lightning files) as adapters of this project.

Key names, defaults and older layouts are facts of that code's files; nothing else of it is used. The
files know neither their LoRA scale nor, for two embeddings, their kind: the run's train.yaml does.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from ..model.config import Adapter, AdapterConfig, LoraConfig
from ..model.target_facts import dimensions
from ..model.u_embedding import build_u_embedding
from ..refusals import reason
from ..text_files import read_text
from .adapter_files import adapter_sha256, save_adapter
from .peft_files import lora_config, number

_PEFT_ALPHA = 8.0  # PEFT's lora_alpha where a configuration names none
_DEFAULT_EMBEDDING, _LEGACY_EMBEDDING = "linear_interpolation", "binary"
_BODY = "model.model.base_model.model."
_EMBEDDING = "model.u_embed."
_REFUSED = {
    "adaLN_modulation": "norms that depend on u, which change real tokens too",
    "u_scale_embed": "a learned scale of u, which this project has no counterpart of",
    "time_embed": "a time embedding, which this project has no counterpart of",
    "lora_magnitude_vector": "DoRA's magnitudes, which this project has no counterpart of",
    "modules_to_save": "whole modules beside the LoRA (modules_to_save), which change real tokens too",
    "lora_embedding_": "deltas of embeddings, which change real tokens too",
}
_LORA = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[AB])\.default\.weight")
_SAME_WEIGHTS = 0.02  # relative: what other 16-bit formats may change


def import_reference(
    checkpoint: str | os.PathLike[str],
    config: str | os.PathLike[str],
    out: str | os.PathLike[str],
    target: Any = None,
    target_info: Mapping[str, Any] | None = None,
) -> Adapter:
    """Converts a checkpoint and its train.yaml to an adapter folder `out`; returns the adapter.

    target: the transformers model that it was trained on; with it, sizes and (for full checkpoints)
    weights are compared. Raises FileNotFoundError, or ValueError with the reason if the file cannot be
    an adapter: no LoRA, unknown modules, other sizes, anything but tensors inside.
    """
    settings = _read_settings(Path(config))
    legacy = "student" in settings
    weights = _current_names(_read_weights(Path(checkpoint)), legacy)
    for name, why in _REFUSED.items():
        if any(name in key for key in weights):
            raise ValueError(f"The checkpoint has {name}: {why}.")
    pairs = _lora_pairs(weights)
    model = _section(settings, "student") if legacy else _section(_section(settings, "model"), "model")
    kind, options, u_embed = _u_embedding(weights, model, legacy)
    shifted = bool(_given(model, "shift_positions", not legacy))
    info = {"name": model.get("model_id"), **_sizes(weights, pairs)}
    if target is not None:
        _compare(weights, pairs, target)
        info |= {**dimensions(target), **(target_info or {})}
    adapter = AdapterConfig(
        variant="o-ptp",
        window=number(_section(settings, "data"), "train_completion_len", int, 16),
        order="token_id",
        position_shift=-1 if shifted else 0,
        u_embedding={"kind": kind, **options},
        lora=_lora_config(_section(model, "lora_config"), pairs),
        sampling={"filter": "reference"} | _sampling(_section(settings, "model")),
        target=info,
        training={"imported_from": Path(checkpoint).name},
        name=Path(out).name,
    )
    save_adapter(out, adapter, pairs, u_embed)
    return Adapter(adapter, pairs, u_embed, adapter_sha256(Path(out)))


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path.name} is not YAML: {reason(error)}") from None
    if not isinstance(settings, dict) or not {"model", "student"} & set(settings):
        raise ValueError(f"{path.name} is not a training configuration: it has neither model nor student.")
    return settings


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = settings.get(name)
    return section if isinstance(section, dict) else {}


def _given(settings: Mapping[str, Any], name: str, default: Any) -> Any:
    """A setting; null counts as absent."""
    return default if settings.get(name) is None else settings[name]


def _sampling(settings: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"temperature": float, "top_k": int, "top_p": float}
    given = {name: kind for name, kind in kinds.items() if settings.get(name) is not None}
    return {name: number(settings, name, kind) for name, kind in given.items()}


def _lora_config(raw: Mapping[str, Any], pairs: Mapping[str, tuple[Tensor, Tensor]]) -> LoraConfig:
    """The settings of these matrices: ranks from their shapes, layers from their names, the rest from train.yaml."""
    ranks = {name: int(a.shape[0]) for name, (a, _) in pairs.items()}
    usual = max(set(ranks.values()), key=list(ranks.values()).count)
    told = {"lora_alpha": _PEFT_ALPHA, **{name: value for name, value in raw.items() if value is not None}}
    found = lora_config({**told, "r": usual, "rank_pattern": None, "target_modules": None}, pairs)
    odd = {re.escape(name): rank for name, rank in ranks.items() if rank != usual}
    leaves = {name.rsplit(".", 1)[-1] for name in pairs}
    return replace(found, rank_pattern=odd, target_modules=tuple(sorted(leaves if _uniform(pairs) else pairs)))


def _uniform(layers: Iterable[str]) -> bool:
    """Whether all blocks carry their deltas at the same places, so that ends of names tell the layers."""
    blocks: dict[str, set[str]] = {}
    for name in layers:
        number = re.search(r"layers\.(\d+)\.", name)
        blocks.setdefault(number[1] if number else "", set()).add(name.rsplit(".", 1)[-1])
    return len({frozenset(names) for names in blocks.values()}) == 1


def _read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict of a Lightning file. Only tensors and plain containers are unpickled."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path.name} cannot be read as tensors alone ({reason(error)}). Keep only its state_dict: load the file "
            "where it was made and save {'state_dict': ...}."
        ) from None
    weights = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path.name} is not a Lightning checkpoint: it has no state_dict of tensors.")
    return weights


def _current_names(weights: Mapping[str, Tensor], legacy: bool) -> dict[str, Tensor]:
    """Keys as the current code writes them; a separate teacher's weights are left out.

    Only the outer u_adapter was renamed: u_embed.u_adapter is the linear map inside binary.
    """
    renamed = {}
    for key, tensor in weights.items():
        if key.startswith("teacher."):
            continue
        key = re.sub(r"^student\.", "model.", key)
        key = re.sub(r"^model\.u_adapter\.", _EMBEDDING, key)
        renamed[key] = tensor
    return renamed


def _lora_pairs(weights: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    sides: dict[str, dict[str, Tensor]] = {}
    for key, tensor in weights.items():
        match = _LORA.fullmatch(key.removeprefix(_BODY))
        if match:
            sides.setdefault(match["layer"], {})[match["side"]] = tensor
    if not sides:
        raise ValueError(
            "The checkpoint has no LoRA: its network was trained as a whole, so there is no frozen target that its "
            "drafts could be verified with."
        )
    pairs = {}
    for layer, pair in sides.items():
        if set(pair) != {"A", "B"} or pair["A"].shape[0] != pair["B"].shape[1]:
            raise ValueError(f"The checkpoint's LoRA matrices of {layer} are incomplete.")
        pairs[layer] = (pair["A"], pair["B"])
    return pairs


def _u_embedding(
    weights: Mapping[str, Tensor], model: Mapping[str, Any], legacy: bool
) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """Kind, options and state dict of the u embedding; ValueError if the file and train.yaml disagree."""
    kind = _given(model, "adapter_name", _LEGACY_EMBEDDING if legacy else _DEFAULT_EMBEDDING)
    found = {key.removeprefix(_EMBEDDING): t.float() for key, t in weights.items() if key.startswith(_EMBEDDING)}
    if not found:
        raise ValueError("The checkpoint has no u embedding.")
    sizes = {"linear_interpolation": "anchors", "round": "bins", "sawtooth": "teeth", "quarter_cos": "frequencies"}
    options: dict[str, Any] = {}
    if kind in sizes and "embedding.weight" in found:
        table = kind in ("linear_interpolation", "round")
        options = {sizes[kind]: int(found["embedding.weight"].shape[0 if table else 1])}
    hidden = found.get("u_adapter.weight", found.get("embedding.weight", torch.empty(0, 0)))
    width = hidden.shape[-1] if kind in ("linear_interpolation", "round") else hidden.shape[0]
    expected = build_u_embedding(str(kind), int(width), **options).state_dict()
    if {k: v.shape for k, v in expected.items()} != {k: v.shape for k, v in found.items()}:
        shapes = ", ".join(f"{k} {tuple(v.shape)}" for k, v in found.items())
        raise ValueError(f"train.yaml says that the u embedding is {kind}, but the file holds {shapes}.")
    return str(kind), options, found


def _sizes(weights: Mapping[str, Tensor], lora: Iterable[str]) -> dict[str, int]:
    """What the file itself tells of its target."""
    numbers = [int(n) for name in lora for n in re.findall(r"layers\.(\d+)\.", name)]
    sizes = {"num_layers": max(numbers) + 1} if numbers else {}
    head = weights.get(f"{_BODY}lm_head.weight")
    if head is not None:
        sizes |= {"vocab_size": int(head.shape[0]), "hidden_size": int(head.shape[1])}
    return sizes


def _compare(weights: Mapping[str, Tensor], lora: Mapping[str, tuple[Tensor, Tensor]], target: Any) -> None:
    """ValueError if the LoRA does not fit the target, or a full checkpoint holds other frozen weights."""
    layers = dict(target.named_modules())
    for name, (a, b) in lora.items():
        shape = (b.shape[0], a.shape[1])
        if name not in layers or tuple(layers[name].weight.shape) != shape:
            raise ValueError(f"The checkpoint does not fit this model: {name} should be {shape}.")
        frozen = weights.get(f"{_BODY}{name}.base_layer.weight")
        if frozen is None:
            continue
        ours = layers[name].weight.detach().float().cpu()
        if (frozen.float() - ours).norm() > _SAME_WEIGHTS * ours.norm():
            raise ValueError(f"The checkpoint was trained on other weights than this model's: {name} differs.")
