"""load_model: target and adapter, from the default, a folder or the hub, placed and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ..engine.switch import is_wanted, switch_on
from ..folders import adapters_folder
from ..model import attention
from ..model.config import Adapter
from ..model.ptp_model import PTPModel
from ..model.target_facts import pin_rotary
from ..refusals import REFUSALS, reason
from .adapter_files import load_adapter
from .built_in import DEFAULT, built_in, in_eight_bits, load_eight_bits, target_folder, target_info
from .default_target import TARGET_NAME, Progress, default_target, silent
from .hub import resolve_folder
from .target_checks import NotAsItself, check_as_itself, probe_logits, refuse_missing, refuse_state

_MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


def load_model(
    name: str | os.PathLike[str] | None = None,
    adapter: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quick: bool = True,
    cpu_first: bool = False,
    engine: str = "auto",
    progress: Progress = silent,
) -> PTPModel:
    """A target with its PTP adapter, ready to decode.

    name      None: the default target; otherwise one of BUILT_IN, a folder, or a hub id of any Llama-like causal LM
    adapter   None: a built-in target's own adapter, no adapter for others; otherwise a folder or hub id, or "none"
    device    "auto" takes CUDA, then MPS, then the CPU
    dtype     "auto" is float32, in which all exact methods agree (TF32 is switched off); or "bfloat16"
    quick     on the CPU, use inference kernels (the target can then not be trained)
    engine    "on": calls of one fixed shape, on a GPU as CUDA graphs; "auto": on CUDA; $PTP_LAB_ENGINE says otherwise
    cpu_first read the weights onto the CPU, then move them, all in the calling thread (ZeroGPU needs that)

    Raises WeightsMissing, FileNotFoundError (no such model or adapter) or ValueError (it does not fit). What other
    libraries raise on the way becomes a ValueError with the cause.
    """
    by_engine = is_wanted(engine, resolve_device(device))
    try:
        found = _find_adapter(adapter, name)
        target = load_target(name, device, dtype, progress, cpu_first)
        try:
            model = assemble(target, found, quick and not by_engine)
        except NotAsItself:
            if not quick:
                raise  # otherwise a layout that only looks like Llama's: transformers' own layers know better
            return load_model(
                name, adapter, device=device, dtype=dtype, quick=False, cpu_first=cpu_first, engine=engine,
                progress=progress,
            )  # fmt: skip
        refused = switch_on(model) if by_engine else None
        model.notes += [refused] if refused else []
    except REFUSALS:
        raise
    except Exception as error:
        raise ValueError(f"{name or TARGET_NAME} could not be loaded: {reason(error)}") from error
    progress(1.0, f"{target.name} ready")
    return model


@dataclass(frozen=True)
class Target:
    """A loaded causal LM. probe (4, V): its own logits for a few tokens, before anything was changed."""

    model: Any
    tokenizer: Any
    name: str
    source: str | None
    info: Mapping[str, Any]
    probe: torch.Tensor


def load_target(
    name: str | os.PathLike[str] | None = None, device: str = "auto", dtype: str = "auto", progress: Progress = silent,
    cpu_first: bool = False,
) -> Target:  # fmt: skip
    """The causal LM alone; arguments and errors are those of load_model."""
    place, kind = resolve_device(device), resolve_dtype(dtype)
    info: Mapping[str, Any] = {}
    if name is None or str(name) == DEFAULT:
        source, shown, info = str(default_target(progress)), TARGET_NAME, target_info(DEFAULT)
    elif (own := target_folder(str(name))) is not None:
        source, shown, info = str(own), str(name), target_info(str(name))
    else:
        folder = resolve_folder(str(name), "model", _MODEL_FILES)
        source, shown = str(folder), Path(name).name if folder == Path(name) else str(name)
    progress(0.97, f"loading {shown}")
    model, tokenizer = _from_pretrained(source, "cpu" if cpu_first else place, kind, shown)
    if cpu_first:
        model.to(place)
    pin_rotary(model)
    probe = probe_logits(shown, model)
    model.set_attn_implementation(attention.NAME)
    if place.startswith("cuda"):
        attention.avoid_cudnn()
    return Target(model, tokenizer, shown, None if shown == TARGET_NAME and info else source, info, probe)


def assemble(target: Target, adapter: Adapter | None, quick: bool) -> PTPModel:
    """Target and adapter as one model. Raises ValueError if they do not fit.

    Raises NotAsItself if the target computes its logits in a way that this lab does not (scaled or capped, say).
    """
    fast = quick and target.model.device.type == "cpu"
    try:
        model = PTPModel(
            target.model,
            target.tokenizer,
            adapter,
            name=target.name,
            source=target.source,
            target_info=target.info,
            quick=fast,
        ).eval()
    except (AttributeError, KeyError, TypeError) as error:  # a layout that has not what the lab looks for
        raise NotAsItself(f"{target.name} is not Llama-like enough ({reason(error)}).") from None
    check_as_itself(model, target.probe)
    return model


def resolve_device(device: str = "auto") -> str:
    """Resolves "auto" to cuda, mps or cpu; anything else must be a device that this machine has (ValueError)."""
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.split(":")[0], False):
        usable = ", ".join(name for name, there in available.items() if there)
        raise ValueError(f"There is no device {device!r} here; available: {usable}.")
    return device


def resolve_dtype(dtype: str = "auto") -> torch.dtype:
    """Resolves "auto" to float32, with TF32 off so that products of every size agree; or "bfloat16"."""
    kinds = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}
    if dtype not in kinds:
        raise ValueError(f"The dtype is one of {', '.join(kinds)}, got {dtype!r}.")
    if kinds[dtype] == torch.float32:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
    return kinds[dtype]


def _find_adapter(adapter: str | os.PathLike[str] | None, name: str | os.PathLike[str] | None) -> Adapter | None:
    if adapter is None:
        known = built_in(name)
        return load_adapter(adapters_folder() / known.adapter) if known else None
    if str(adapter) == "none":
        return None
    shipped = adapters_folder() / str(adapter)
    return load_adapter(shipped if shipped.is_dir() else adapter)


def _tokenizer_of(source: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source)
    except OSError:
        raise
    except Exception as error:
        if Path(source).is_dir() and not any(Path(source).glob("*token*")):
            raise FileNotFoundError(f"The model folder {source!r} has no tokenizer.") from None
        raise ValueError(f"The tokenizer of {source!r} cannot be loaded: {reason(error)}") from None


def _from_pretrained(source: str, device: str, dtype: torch.dtype, shown: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM

    target: Any
    told: Any
    placement = "auto" if device == "cuda" and torch.cuda.device_count() > 1 else {"": device}
    try:
        tokenizer = _tokenizer_of(source)
        if in_eight_bits(source):
            return load_eight_bits(source, dtype).to(device).eval(), tokenizer
        target, told = AutoModelForCausalLM.from_pretrained(  # type: ignore[misc]  # with what was found in the files
            source, dtype=dtype, device_map=placement, output_loading_info=True
        )
    except OSError as error:  # transformers' word for "not there", offline or damaged
        raise FileNotFoundError(f"The model {source!r} could not be loaded: {reason(error)}") from None
    except SafetensorError as error:
        raise ValueError(f"The weights of {source!r} are damaged or cut off: {reason(error)}") from None
    except ImportError as error:  # weights in the format of bitsandbytes, GPTQ, AWQ, ...
        raise ValueError(f"{source!r} needs a library that is not installed here: {reason(error)}") from None
    except Exception as error:
        raise ValueError(f"{source!r} is not a causal language model that this lab can load: {reason(error)}") from None
    refuse_state(shown, target)
    refuse_missing(shown, told["missing_keys"])
    return target.eval(), tokenizer
