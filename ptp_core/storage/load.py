"""load_model: target and adapter, from the default, a folder or the hub, placed and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ..folders import adapters_folder
from ..model import attention
from ..model.config import Adapter
from ..model.ptp_model import PTPModel
from .adapter_files import load_adapter
from .default_target import TARGET_INFO, TARGET_NAME, Progress, default_target, silent
from .hub import resolve_folder

DEFAULT_ADAPTER = "smollm2-135m-ptp"
_PROBE = (3, 1, 4, 2)  # token ids that every vocabulary has
_MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.2}  # relative: what other kernels may change


def load_model(
    name: str | os.PathLike[str] | None = None,
    adapter: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quick: bool = True,
    progress: Progress = silent,
) -> PTPModel:
    """A target with its PTP adapter, ready to decode.

    name      None: the default target; otherwise a folder or a hub id of any Llama-like causal LM
    adapter   None: the default adapter for the default target, no adapter for others; otherwise a
              folder or hub id, or "none"
    device    "auto" takes CUDA, then MPS, then the CPU
    dtype     "auto" is float32, in which all exact methods agree (TF32 is switched off); or "bfloat16"
    quick     on the CPU, use inference kernels (the target can then not be trained)

    Raises WeightsMissing, FileNotFoundError (no such model or adapter) or ValueError (it does not fit).
    """
    found = _find_adapter(adapter, is_default=name is None)
    target = load_target(name, device, dtype, progress)
    try:
        model = assemble(target, found, quick)
    except NotAsItself:
        if not quick:
            raise  # otherwise a layout that only looks like Llama's: transformers' own layers know better
        return load_model(name, adapter, device=device, dtype=dtype, quick=False, progress=progress)
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


class NotAsItself(ValueError):
    """The model's logits, computed here, are not its own."""


def load_target(
    name: str | os.PathLike[str] | None = None, device: str = "auto", dtype: str = "auto", progress: Progress = silent
) -> Target:
    """The causal LM alone; arguments and errors are those of load_model."""
    place, kind = resolve_device(device), resolve_dtype(dtype)
    info: Mapping[str, Any] = {}
    if name is None:
        source, shown, info = str(default_target(progress)), TARGET_NAME, TARGET_INFO
    else:
        folder = resolve_folder(str(name), "model", _MODEL_FILES)
        source, shown = str(folder), Path(name).name if folder == Path(name) else str(name)
    progress(0.97, f"loading {shown}")
    model, tokenizer = _from_pretrained(source, place, kind)
    probe = _probe_logits(model)
    model.set_attn_implementation(attention.NAME)
    if place.startswith("cuda"):
        attention.avoid_cudnn()
    return Target(model, tokenizer, shown, None if name is None else source, info, probe)


def assemble(target: Target, adapter: Adapter | None, quick: bool) -> PTPModel:
    """Target and adapter as one model. Raises ValueError if they do not fit.

    Raises NotAsItself if the target computes its logits in a way that this lab does not (scaled or capped, say).
    """
    fast = quick and target.model.device.type == "cpu"
    model = PTPModel(
        target.model,
        target.tokenizer,
        adapter,
        name=target.name,
        source=target.source,
        target_info=target.info,
        quick=fast,
    ).eval()
    if not _agrees(target.probe, model):
        raise NotAsItself(
            f"{target.name} is not Llama-like enough: its logits, computed here, differ from its own. "
            "Llama, Mistral, Qwen, SmolLM and GPT-NeoX layouts work."
        )
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


def _find_adapter(adapter: str | os.PathLike[str] | None, is_default: bool) -> Adapter | None:
    if adapter is None:
        return load_adapter(adapters_folder() / DEFAULT_ADAPTER) if is_default else None
    if str(adapter) == "none":
        return None
    shipped = adapters_folder() / str(adapter)
    return load_adapter(shipped if shipped.is_dir() else adapter)


def _tokenizer_of(source: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source)
    except (ValueError, ImportError) as error:
        if Path(source).is_dir() and not any(Path(source).glob("*token*")):
            raise FileNotFoundError(f"The model folder {source!r} has no tokenizer.") from None
        raise ValueError(f"The tokenizer of {source!r} cannot be loaded: {str(error).splitlines()[0]}") from None


def _from_pretrained(source: str, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM

    placement = "auto" if device == "cuda" and torch.cuda.device_count() > 1 else {"": device}
    try:
        tokenizer = _tokenizer_of(source)
        target = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, device_map=placement)
    except OSError as error:  # transformers' word for "not there", offline or damaged
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"The model {source!r} could not be loaded: {reason}") from None
    except SafetensorError as error:
        raise ValueError(f"The weights of {source!r} are damaged or cut off: {error}") from None
    except (KeyError, ValueError) as error:
        raise ValueError(f"{source!r} is not a causal language model that this lab can load: {error}") from None
    return target.eval(), tokenizer


@torch.inference_mode()
def _probe_logits(target: Any) -> torch.Tensor:
    """The untouched model's own logits for a few tokens, (4, V)."""
    ids = torch.tensor([_PROBE], device=target.get_input_embeddings().weight.device)
    return target(input_ids=ids).logits[0].float()


def _agrees(probe: torch.Tensor, model: PTPModel) -> bool:
    """Whether the logits computed here are the target's own. Models that scale or cap their logits, say,
    fail this: they would decode, but not as themselves."""
    ours = model.target_logits(_PROBE).to(probe.device)
    return float((ours - probe).norm() / probe.norm()) < _TOLERANCE[model.dtype]
