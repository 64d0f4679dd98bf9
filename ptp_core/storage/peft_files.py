"""PEFT's adapter_config.json: what of it the lab honours, and what it refuses by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..model.config import AdapterConfig, LoraConfig

# Fields that change what the delta is, and for which the lab has no counterpart: any of these values leaves them out.
_REFUSED: dict[str, tuple[Any, ...]] = {
    "use_dora": (False,),
    "modules_to_save": ((), []),
    "bias": ("none",),
    "lora_bias": (False,),
    "fan_in_fan_out": (False,),
    "layer_replication": ([],),
    "trainable_token_indices": ([], {}),
    "target_parameters": ([],),
    "alora_invocation_tokens": ([],),
    "use_qalora": (False,),
    "use_bdlora": (),
    "arrow_config": (),
    "kasa_config": (),
    "monteclora_config": (),
}
_INITIALS = (True, False, "gaussian", "orthogonal", "eva", "lora_ga")  # that leave the target's own weights alone
_PICKED_BY = ("layers_to_transform", "exclude_modules")  # which layers, in ways that the file's own keys tell better


def lora_config(raw: Mapping[str, Any], layers: Iterable[str]) -> LoraConfig:
    """The LoRA settings of a PEFT configuration. layers: the names of the layers in the adapter's file.

    ValueError with a sentence for settings that are missing, make no sense, or have no counterpart here.
    """
    if raw.get("peft_type", "LORA") != "LORA":
        raise ValueError(f"The adapter is of PEFT's kind {raw['peft_type']!r}; the lab reads LoRA.")
    for name, allowed in _REFUSED.items():
        if raw.get(name) is not None and raw[name] not in allowed:
            raise ValueError(f"The adapter's configuration sets {name}, which this lab has no counterpart of.")
    initial = raw.get("init_lora_weights", True)
    if initial is not None and initial not in _INITIALS:
        raise ValueError(f"The adapter's init_lora_weights is {initial!r}, which changes the target's own weights.")
    listed = raw.get("target_modules")
    by_name = isinstance(listed, (list, tuple)) and all(isinstance(name, str) for name in listed) and bool(listed)
    if by_name and not any(raw.get(name) for name in _PICKED_BY):
        targets = tuple(listed or ())
    else:  # "all-linear", a regular expression, some of the layers
        targets = tuple(sorted(layers))
    return LoraConfig(
        number(raw, "r", int),
        number(raw, "lora_alpha", float),
        targets,
        bool(raw.get("use_rslora")),
        pattern(raw, "rank_pattern", int),
        pattern(raw, "alpha_pattern", float),
    )


def number(raw: Mapping[str, Any], name: str, kind: Callable[[Any], Any], default: Any = None) -> Any:
    """A number of a configuration; null counts as absent. ValueError if it is missing or no number."""
    value = default if raw.get(name) is None else raw[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind is int and value != int(value)):
        raise ValueError(f"{name} should be a number, but is {value!r}.")
    return kind(value)


def pattern(raw: Mapping[str, Any], name: str, kind: Callable[[Any], Any]) -> dict[str, Any]:
    """Numbers by pattern of a layer's name; ValueError if they are none."""
    found = raw.get(name) or {}
    if not isinstance(found, Mapping):
        raise ValueError(f"The adapter's configuration has a {name} that is no table.")
    return {str(key): number(found, key, kind) for key in found}


def peft_config(config: AdapterConfig) -> dict[str, Any]:
    """The configuration of these matrices as PEFT reads it."""
    lora = config.lora
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "use_rslora": lora.rslora,
        "rank_pattern": dict(lora.rank_pattern),
        "alpha_pattern": dict(lora.alpha_pattern),
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(lora.target_modules),
        "base_model_name_or_path": config.target.get("name"),
        "inference_mode": True,
    }
