"""Adapters on disk: what a PTP adapter is, how it is saved and loaded.

An adapter folder holds
    adapter_model.safetensors   LoRA matrices under PEFT's key names (PEFT loads them as they are)
    adapter_config.json         PEFT's configuration of them
    u_embed.safetensors         the u embedding, float32
    chain.safetensors           the chain head (chain.py), where the adapter has one
    shallow.safetensors         shallow slots (shallow.py), where it has some
    ptp_config.json             AdapterConfig: target, variant, u embedding, CDF order, window, evaluation
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..model.config import Adapter, AdapterConfig, DraftFigures, LoraConfig, ShallowConfig
from .hub import resolve_folder

FORMAT = "ptp-adapter-1"
FILES = ("adapter_model.safetensors", "adapter_config.json", "u_embed.safetensors", "ptp_config.json")
CHAIN_FILE, SHALLOW_FILE = "chain.safetensors", "shallow.safetensors"
PARTS = (CHAIN_FILE, SHALLOW_FILE)  # that an adapter may have
_PEFT_PREFIX = "base_model.model."
_U_PREFIX = "u_embed."


def load_adapter(folder: str | os.PathLike[str]) -> Adapter:
    """Reads an adapter from a folder or, if there is none of that name, from the Hugging Face hub.

    Raises FileNotFoundError if it is in neither place, ValueError if files are missing or damaged.
    """
    path = resolve_folder(str(folder), "adapter", (*FILES, *PARTS))
    _refuse_missing(path, FILES)
    try:
        raw = json.loads((path / "ptp_config.json").read_text(encoding="utf-8"))
        peft = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(path / "adapter_model.safetensors")
        u_embed = load_file(path / "u_embed.safetensors")
        chain, shallow = (load_file(path / f) if (path / f).is_file() else {} for f in PARTS)
    except (SafetensorError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"The adapter in {path} is damaged: {error}") from None
    config = _parse_config(raw, peft, path.name)
    for part, file in ((config.chain, CHAIN_FILE), (config.shallow, SHALLOW_FILE)):
        if part:
            _refuse_missing(path, (file,))
    return Adapter(
        config,
        _pair_up(tensors),
        {name.removeprefix(_U_PREFIX): tensor for name, tensor in u_embed.items()},
        adapter_sha256(path),
        chain if config.chain else {},
        shallow if config.shallow else {},
    )


def _refuse_missing(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise ValueError(f"{path} is not a whole PTP adapter: {', '.join(missing)} missing.")


def rewrite_config(folder: str | os.PathLike[str], config: AdapterConfig) -> None:
    """Replaces an adapter's ptp_config.json; its weights stay as they are."""
    _write_json(Path(folder) / "ptp_config.json", {"format": FORMAT, **asdict(config)})


def adapter_sha256(folder: Path) -> str:
    """One hash over the adapter's weights: results that were made with it quote this."""
    digest = hashlib.sha256()
    for name in ("adapter_model.safetensors", "u_embed.safetensors", *PARTS):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def save_adapter(
    folder: str | os.PathLike[str],
    config: AdapterConfig,
    lora: Mapping[str, tuple[Tensor, Tensor]],
    u_embed: Mapping[str, Tensor],
    chain: Mapping[str, Tensor] | None = None,
    shallow: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes an adapter; each file replaces its predecessor in one step. ValueError if a chain head or shallow slots
    are missing or the configuration knows of none."""
    if bool(config.chain) != bool(chain):
        raise ValueError(f"The adapter {config.name!r} has a chain of width {config.chain}, but its weights do not.")
    if bool(config.shallow) != bool(shallow):
        raise ValueError(f"The adapter {config.name!r} has shallow slots in its configuration or its weights only.")
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, (a, b) in lora.items():
        tensors[f"{_PEFT_PREFIX}{name}.lora_A.weight"] = a.detach().cpu().contiguous()
        tensors[f"{_PEFT_PREFIX}{name}.lora_B.weight"] = b.detach().cpu().contiguous()
    u_tensors = {_U_PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in u_embed.items()}
    parts = {"adapter_model.safetensors": tensors, "u_embed.safetensors": u_tensors}
    parts |= {CHAIN_FILE: _on_cpu(chain or {}), SHALLOW_FILE: _on_cpu(shallow or {})}
    for file, content in parts.items():
        if not content:
            continue
        part = path / f".{file}.part"
        save_file(content, part, metadata={"format": "pt"})
        part.chmod(0o644)  # safetensors writes files that only their owner can read
        part.replace(path / file)
    _write_json(path / "adapter_config.json", _peft_config(config))
    rewrite_config(path, config)
    for file in (file for file, content in parts.items() if not content):
        (path / file).unlink(missing_ok=True)


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def _parse_config(raw: Any, peft: Any, name: str) -> AdapterConfig:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        raise ValueError(f"ptp_config.json has format {found!r}; this version reads {FORMAT!r}.")
    known = {f.name for f in fields(AdapterConfig)}
    values = {key: value for key, value in raw.items() if key in known}
    try:
        values["lora"] = LoraConfig(int(peft["r"]), float(peft["lora_alpha"]), tuple(peft["target_modules"]))
        values |= _parse_figures(values)
        if values.get("unchained") is not None:
            values["unchained"] = DraftFigures(**_parse_figures(values["unchained"]))
        if values.get("shallow") is not None:
            values["shallow"] = _parse_shallow(values["shallow"])
        return AdapterConfig(**{"name": name, **values})
    except (KeyError, TypeError) as error:
        raise ValueError(f"The adapter's configuration is incomplete: {error}") from None


def _parse_figures(raw: Mapping[str, Any]) -> dict[str, Any]:
    runs = {key: tuple(float(p) for p in raw.get(key, ())) for key in ("draft_run", "draft_run_rejected")}
    weights = raw.get("confidence")
    return {**runs, "confidence": None if weights is None else tuple(float(w) for w in weights)}


def _parse_shallow(raw: Any) -> ShallowConfig:
    known = {f.name for f in fields(ShallowConfig)}
    values = {key: value for key, value in dict(raw).items() if key in known}
    values["draft_run"] = tuple(float(p) for p in values.get("draft_run", ()))
    if values.get("confidence") is not None:
        values["confidence"] = tuple(float(w) for w in values["confidence"])
    return ShallowConfig(**values)


def _peft_config(config: AdapterConfig) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": config.lora.rank,
        "lora_alpha": config.lora.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(config.lora.target_modules),
        "base_model_name_or_path": config.target.get("name"),
        "inference_mode": True,
    }


def _pair_up(tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for key, a in tensors.items():
        if not key.startswith(_PEFT_PREFIX) or not key.endswith((".lora_A.weight", ".lora_B.weight")):
            raise ValueError(f"The adapter holds a tensor that is no LoRA matrix: {key}.")
        if key.endswith(".lora_A.weight"):
            b = tensors.get(key.replace(".lora_A.", ".lora_B."))
            if b is None or a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
                raise ValueError(f"The adapter's matrices do not fit each other: {key}.")
            pairs[key.removeprefix(_PEFT_PREFIX).removesuffix(".lora_A.weight")] = (a, b)
    return pairs


def _write_json(path: Path, content: Any) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(content, indent=1, default=list) + "\n", encoding="utf-8")
    part.replace(path)


def push_folder(folder: str | os.PathLike[str], repo: str, private: bool = False) -> str:
    """Uploads a saved adapter and its model card to the hub's repository `repo`; returns its address.

    Raises ValueError if the folder holds no whole adapter, PermissionError with a sentence if the hub
    refuses. Needs the token that `hf auth login` or HF_TOKEN provides.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    load_adapter(folder)
    api = HfApi()
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=str(folder), allow_patterns=[*FILES, *PARTS, "README.md"])
    except HfHubHTTPError as error:
        raise PermissionError(f"The hub did not take {repo}: {str(error).splitlines()[0]}") from None
    return str(address)
