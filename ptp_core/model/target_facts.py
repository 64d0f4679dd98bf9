"""What the lab must know of a target before it decodes: its sizes, its context, and which weights it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

_UNKNOWN_CONTEXT = 2048
_SAMPLES = 1024  # numbers of each tensor that tell weights apart
_WINDOWED = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}


def dimensions(target: Any) -> dict[str, int]:
    """The sizes by which an adapter knows its target."""
    return {
        "hidden_size": int(target.config.hidden_size),
        "num_layers": int(target.config.num_hidden_layers),
        "vocab_size": int(target.get_output_embeddings().out_features),
    }


def context_of(config: Any) -> int:
    """Most tokens, prompt and answer together: the trained context, a narrower window, or where LongRoPE switches."""
    return min(number for number, _ in _limits(config))


def context_notes(config: Any) -> list[str]:
    """Why the context is shorter than the trained one; empty where it is not."""
    number, why = min(_limits(config))
    return [f"{why}, so the lab reads {number:,} tokens at most, the answer included."] if why else []


def _limits(config: Any) -> Iterator[tuple[int, str]]:
    yield int(getattr(config, "max_position_embeddings", None) or _UNKNOWN_CONTEXT), ""
    kinds = getattr(config, "layer_types", None)
    for kind, name in _WINDOWED.items():
        size = getattr(config, name, None)
        if size and (kind in kinds if kinds else kind == "sliding_attention"):
            yield int(size), f"Layers of this model see {int(size):,} tokens back"
    for rope in _rope_settings(config):
        switch = rope.get("original_max_position_embeddings")
        if rope.get("rope_type") == "longrope" and switch:
            yield (
                int(switch),
                f"This model turns its rows by other factors behind {int(switch):,} tokens (LongRoPE)",
            )


def _rope_settings(config: Any) -> list[Mapping[str, Any]]:
    """The rotary settings: one for all layers, or one for each kind of layer."""
    found = getattr(config, "rope_parameters", None) or {}
    return [part for part in (found, *found.values()) if isinstance(part, Mapping)]


def pin_rotary(target: nn.Module) -> None:
    """Keeps the rotary factors as they are for short texts, also in a call with rows behind the context's end.

    transformers chooses the factors of LongRoPE and dynamic NTK anew in each call, by its last row. So drafts would
    change how the rows before them are turned.
    """
    for module in target.modules():
        kinds = getattr(module, "rope_type", None)
        if isinstance(kinds, dict):
            module.rope_type = {layer: _pinned(kind) for layer, kind in kinds.items()}  # type: ignore[assignment]
        elif isinstance(kinds, str):
            module.rope_type = _pinned(kinds)  # type: ignore[assignment]


def _pinned(kind: str) -> str:
    return "pinned" if kind == "longrope" or "dynamic" in kind else kind


def weights_id(target: nn.Module) -> str:
    """A short hash over names, sizes and a sample of the numbers of all weights: others give another one.

    It does not depend on where the weights came from, nor on the device.
    """
    digest = hashlib.sha256()
    for name, tensor in target.named_parameters():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        if not tensor.is_meta:
            flat = tensor.detach().reshape(-1)
            sample = flat[:: max(len(flat) // _SAMPLES, 1)][: _SAMPLES + 1]
            digest.update(sample.to("cpu", torch.float64).numpy().tobytes())
    return digest.hexdigest()[:16]
