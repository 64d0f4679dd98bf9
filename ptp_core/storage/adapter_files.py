"""Adapters on disk and on the hub.

An adapter's folder holds a file for each of its parts (model/parts.py names them) and two of settings:
    adapter_config.json    PEFT's configuration of the LoRA matrices, which PEFT loads if they are floats
    ptp_config.json        AdapterConfig: target, variant, parts, CDF order, window, evaluation
The parts' matrices are floats, as save_adapter writes them, or stored in eight bits by store_adapter.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..json_text import read_json
from ..model.config import Adapter, AdapterConfig
from ..model.parts import PARTS
from ..refusals import reason
from .eight_bits import decode, encode
from .hub import resolve_folder
from .peft_files import lora_config, peft_config

FORMAT = "ptp-adapter-1"
SETTINGS = ("adapter_config.json", "ptp_config.json")
FILES = (*(part.file for part in PARTS.values()), *SETTINGS)  # all that an adapter may have


def load_adapter(folder: str | os.PathLike[str]) -> Adapter:
    """Reads an adapter from a folder or, if there is none of that name, from the Hugging Face hub.

    Raises FileNotFoundError if it is in neither place, ValueError if files are missing or damaged.
    """
    path = resolve_folder(str(folder), "adapter", FILES)
    _refuse_missing(path, (*SETTINGS, PARTS["lora"].file))
    try:
        peft, raw = (read_json(path / name, "configuration") for name in SETTINGS)
        lora = decode(load_file(path / PARTS["lora"].file))
        config = _parse_config(raw, peft, path.name, PARTS["lora"].from_file(lora))
        wanted = {name: part for name, part in PARTS.items() if part.wanted(config)}
        _refuse_missing(path, [part.file for part in wanted.values()])
        tensors = {name: decode(load_file(path / part.file)) for name, part in wanted.items() if name != "lora"}
    except SafetensorError as error:
        raise ValueError(f"The adapter in {path} is damaged: {reason(error)}") from None
    weights: dict[str, Any] = {name: part.from_file({"lora": lora, **tensors}[name]) for name, part in wanted.items()}
    return Adapter(config, sha256=adapter_sha256(path), **weights)


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
    for part in PARTS.values():
        if (folder / part.file).is_file():
            digest.update((folder / part.file).read_bytes())
    return digest.hexdigest()


def adapter_hashes(folder: Path) -> tuple[str, ...]:
    """The hashes by which results may name these weights: today's, and that of an earlier precision."""
    config = read_json(folder / "ptp_config.json", "configuration")
    return tuple(found for found in (adapter_sha256(folder), config.get("previous_sha256")) if found)


def trained_for(folder: Path) -> str | None:
    """The hash of the target that an adapter's folder names; None if it names none. It reads no weights."""
    found = read_json(folder / "ptp_config.json", "configuration").get("target") or {}
    return found.get("sha256")


def save_adapter(
    folder: str | os.PathLike[str],
    config: AdapterConfig,
    lora: Mapping[str, tuple[Tensor, Tensor]],
    u_embed: Mapping[str, Tensor],
    chain: Mapping[str, Tensor] | None = None,
    shallow: Mapping[str, Tensor] | None = None,
    parallel: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes an adapter; each file replaces its predecessor in one step.

    Raises ValueError if weights are missing that the configuration describes, or the other way about.
    """
    weights: dict[str, Any] = {
        "lora": lora, "u_embed": u_embed, "chain": chain, "shallow": shallow, "parallel": parallel
    }  # fmt: skip
    for name, part in PARTS.items():
        if part.wanted(config) != bool(weights[name]):
            raise ValueError(f"The adapter {config.name!r} has {part.title} in its configuration or its weights only.")
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    there = {part.file: part.to_file(weights[name]) for name, part in PARTS.items() if weights[name]}
    for file, tensors in there.items():
        _write_tensors(path / file, tensors)
    _write_json(path / "adapter_config.json", peft_config(config))
    rewrite_config(path, replace(config, previous_sha256=""))
    for part in PARTS.values():
        if part.file not in there:
            (path / part.file).unlink(missing_ok=True)


def store_adapter(
    folder: str | os.PathLike[str], out: str | os.PathLike[str], eight_bits: bool = True
) -> AdapterConfig:
    """Writes a saved adapter to `out`, its matrices in eight bits or in float32; returns its configuration.

    `out` may be the folder itself. The model card goes with it. Raises as load_adapter does.
    """
    source, path = resolve_folder(str(folder), "adapter", FILES), Path(out)
    adapter = load_adapter(source)
    files = {}
    for part in PARTS.values():
        if part.wanted(adapter.config):
            stored = load_file(source / part.file)
            files[part.file] = encode(stored, part.exact) if eight_bits else _wide(decode(stored))
    path.mkdir(parents=True, exist_ok=True)
    for file, tensors in files.items():
        _write_tensors(path / file, tensors)
    for name in ("adapter_config.json", "README.md"):
        if (source / name).is_file() and source.resolve() != path.resolve():
            (path / name).write_bytes((source / name).read_bytes())
    config = adapter.config
    if adapter_sha256(path) != adapter.sha256:
        config = replace(config, previous_sha256=adapter.sha256)
    rewrite_config(path, config)
    return config


def _wide(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    half = path.with_name(f".{path.name}.part")
    on_cpu = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    save_file(on_cpu, half, metadata={"format": "pt"})
    half.chmod(0o644)  # safetensors writes files that only their owner can read
    half.replace(path)


def _parse_config(raw: Any, peft: Any, name: str, layers: Iterable[str]) -> AdapterConfig:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        raise ValueError(f"ptp_config.json has format {found!r}; this version reads {FORMAT!r}.")
    if not isinstance(peft, dict):
        raise ValueError("adapter_config.json is no table of settings.")
    try:
        return AdapterConfig.from_json({"name": name, **raw}, lora_config(peft, layers))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The adapter's configuration is incomplete: {reason(error)}") from None


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
        api.upload_folder(repo_id=repo, folder_path=str(folder), allow_patterns=[*FILES, "README.md"])
    except HfHubHTTPError as error:
        raise PermissionError(f"The hub did not take {repo}: {str(error).splitlines()[0]}") from None
    return str(address)
