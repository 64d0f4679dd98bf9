"""What the browser downloads: a target and its adapters as one binary file, and a JSON head that says what lies where.

The binary is an image of memory: the kernels of app/static/tab/worker read it as it is. A matrix W (N, K) lies in
panels of 16 rows, [panel][k][16 rows], in eight bits with float32 scales by row, or in float32. Its dequantised numbers
are the server's own, so nothing is rounded on the way.

    python -m app.tab.pack TARGET ADAPTER [ADAPTER] OUT      writes OUT/head.json and OUT/weights.bin
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from ptp_core.json_text import read_json
from ptp_core.model.config import C_PTP, Adapter, AdapterConfig
from ptp_core.storage.adapter_files import load_adapter
from ptp_core.storage.eight_bits import decode

from .vocabulary import vocabulary

FORMAT = "ptp-tab-1"
PANEL, ALIGN = 16, 64
LARGEST = 12_000_000  # bytes of the binary
PRODUCTS = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
U_EMBEDDINGS = ("fourier", "blank")  # that the browser computes


@dataclass(frozen=True)
class Matrix:
    """W (N, K) as whole numbers and scales (N,), or as floats with scales of 1; W is their product by row."""

    numbers: Tensor
    scales: Tensor

    @classmethod
    def find(cls, tensors: Mapping[str, Tensor], name: str) -> Matrix:
        """The matrix of this name as it is stored. KeyError where there is none."""
        if f"{name}.int8" in tensors:
            return cls(tensors[f"{name}.int8"], tensors[f"{name}.scale"].float().reshape(-1))
        floats = tensors[name].float()
        return cls(floats, torch.ones(len(floats)))

    @classmethod
    def stacked(cls, parts: Sequence[Matrix]) -> Matrix:
        """Matrices of one input, one below the other."""
        if len({part.numbers.dtype for part in parts}) > 1:
            raise ValueError("Matrices that are read together must be stored in one precision.")
        return cls(torch.cat([p.numbers for p in parts]), torch.cat([p.scales for p in parts]))

    def scaled(self, factor: float) -> Matrix:
        return Matrix(self.numbers, self.scales * factor)


class Image:
    """The binary as it grows, and the places of its tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, dict[str, int]] = {}
        self._parts: list[bytes] = []
        self._length = 0

    def bytes(self) -> bytes:
        return b"".join(self._parts)

    def _put(self, array: np.ndarray) -> int:
        raw = np.ascontiguousarray(array).tobytes()
        at = self._length
        raw += bytes(-len(raw) % ALIGN)
        self._parts.append(raw)
        self._length += len(raw)
        return at

    def vector(self, name: str, values: Tensor) -> None:
        """Float32 numbers, padded with zeros to whole panels."""
        flat = values.float().reshape(-1).numpy()
        self.tensors[name] = {"at": self._put(np.pad(flat, (0, -len(flat) % PANEL))), "size": len(flat)}

    def matrix(self, name: str, matrix: Matrix) -> None:
        """A matrix (N, K) in panels; rows that fill the last panel are zero."""
        numbers = matrix.numbers.numpy()
        rows, columns = numbers.shape
        padded = np.pad(numbers, ((0, -rows % PANEL), (0, 0)))
        panels = padded.reshape(-1, PANEL, columns).transpose(0, 2, 1)
        scales = np.pad(matrix.scales.numpy(), (0, -rows % PANEL)).astype(np.float32)
        bits = 8 * numbers.itemsize
        self.tensors[name] = {
            "at": self._put(panels), "scale": self._put(scales), "rows": rows, "columns": columns, "bits": bits,
        }  # fmt: skip


def pack(target: Path, adapters: Mapping[str, Path]) -> tuple[dict[str, Any], bytes]:
    """Head and binary of a target's folder and its adapters by the names under which the page knows them.

    Raises FileNotFoundError if files are missing, ValueError if the browser could not run what they hold, or if the
    binary is larger than LARGEST.
    """
    config = read_json(target / "config.json", "configuration")
    image = Image()
    model = _target(image, config, load_file(target / "model.safetensors"))
    found = {name: _adapter(image, name, folder, model) for name, folder in adapters.items()}
    words = vocabulary(target)
    binary = image.bytes()
    if len(binary) > LARGEST:
        raise ValueError(
            f"The browser would download {len(binary) / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f} MB. "
            "Store target and adapters in eight bits."
        )
    head = {
        "format": FORMAT, "name": target.name, "bytes": len(binary), "model": model, "tensors": image.tensors,
        "vocabulary": words, "adapters": found,
    }  # fmt: skip
    return head, binary


def _target(image: Image, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Puts the target's weights into the image; its sizes. ValueError for another architecture than Llama's."""
    if config.get("model_type") != "llama" or config.get("hidden_act", "silu") != "silu":
        raise ValueError(f"The browser runs Llama's layout only, not {config.get('model_type')!r}.")
    if any(name.endswith(".bias") for name in tensors):
        raise ValueError("The browser's network has no biases.")
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    groups = int(config.get("num_key_value_heads") or heads)
    size = int(config.get("head_dim") or hidden // heads)
    mlp, layers = int(config["intermediate_size"]), int(config["num_hidden_layers"])
    if hidden % PANEL or size % PANEL or mlp % PANEL:
        raise ValueError(f"Hidden size, head size and MLP must be multiples of {PANEL}.")
    image.matrix("embed", Matrix.find(tensors, "model.embed_tokens.weight"))
    if not config.get("tie_word_embeddings", False):
        image.matrix("head", Matrix.find(tensors, "lm_head.weight"))
    image.vector("norm", tensors["model.norm.weight"])
    for i in range(layers):
        layer = f"model.layers.{i}"
        image.vector(f"{i}.norm_in", tensors[f"{layer}.input_layernorm.weight"])
        image.vector(f"{i}.norm_mlp", tensors[f"{layer}.post_attention_layernorm.weight"])
        for name, places in PRODUCTS.items():
            parts = [Matrix.find(tensors, f"{layer}.{place}.weight") for place in places]
            image.matrix(f"{i}.{name}", Matrix.stacked(parts))
    return {
        "hidden": hidden, "heads": heads, "groups": groups, "size": size, "mlp": mlp, "layers": layers,
        "vocab": int(config["vocab_size"]), "context": int(config["max_position_embeddings"]),
        "eps": float(config["rms_norm_eps"]), "frequencies": _frequencies(config, size),
    }  # fmt: skip


def _frequencies(config: Mapping[str, Any], size: int) -> list[float]:
    """The angles (size / 2) per position of rotary embeddings, float32, as transformers computes them."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise ValueError("The browser knows plain rotary embeddings only.")
    theta = float(rope.get("rope_theta", config.get("rope_theta", 10_000.0)))
    return (1.0 / (theta ** (torch.arange(0, size, 2, dtype=torch.int64).float() / size))).tolist()


def _adapter(image: Image, name: str, folder: Path, model: Mapping[str, Any]) -> dict[str, Any]:
    """Puts an adapter's weights into the image; what the browser must know of its drafts."""
    adapter = load_adapter(folder)
    config = adapter.config
    if config.variant == C_PTP:
        raise ValueError(f"{config.name} is a C-PTP adapter; the browser runs O-PTP and u-blind ones.")
    if config.u_embedding["kind"] not in U_EMBEDDINGS:
        raise ValueError(f"The browser does not know the u embedding {config.u_embedding['kind']!r}.")
    stored = load_file(folder / "adapter_model.safetensors")
    for i in range(int(model["layers"])):
        for product, places in PRODUCTS.items():
            _deltas(image, f"{name}.{i}.{product}", config, stored, [f"model.layers.{i}.{place}" for place in places])
    _u_embedding(image, name, adapter)
    if config.chain:
        chain = load_file(folder / "chain.safetensors")
        for layer in ("inner", "outer"):
            image.matrix(f"{name}.chain.{layer}", Matrix.find(chain, f"{layer}.weight"))
            image.vector(f"{name}.chain.{layer}.bias", decode(chain)[f"{layer}.bias"])
    figures = {
        key: _figures(config, chained) for key, chained in (("chained", True), ("alone", False))
    }  # of the chain head's drafts, and of the slots' own
    return {
        "name": config.name, "window": config.window, "lead": config.lead, "settled": config.num_settled,
        "shift": config.position_shift, "anchor": config.anchor, "chain": config.chain, "order": config.order,
        "reads_u": config.reads_u, "sampling": dict(config.sampling), "sha256": adapter.sha256, **figures,
    }  # fmt: skip


def _deltas(
    image: Image, name: str, config: AdapterConfig, stored: Mapping[str, Tensor], layers: Sequence[str]
) -> None:
    """The low-rank deltas of layers with one input: their A's as one matrix, and each B with its scale inside."""
    pairs = {
        i: [f"base_model.model.{layer}.lora_{half}.weight" for half in "AB"]
        for i, layer in enumerate(layers)
        if config.lora.carries(layer)
    }
    if not pairs:
        return
    image.matrix(f"{name}.a", Matrix.stacked([Matrix.find(stored, a) for a, _ in pairs.values()]))
    for i, (_, b) in pairs.items():
        image.matrix(f"{name}.b{i}", Matrix.find(stored, b).scaled(config.lora.scale_of(layers[i])))


def _u_embedding(image: Image, name: str, adapter: Adapter) -> None:
    weights = adapter.u_embed
    if not adapter.config.reads_u:
        image.vector(f"{name}.u.vector", weights["vector"])
        return
    image.vector(f"{name}.u.frequencies", weights["frequencies"])
    for layer in ("net.0", "net.2"):
        image.matrix(f"{name}.u.{layer}", Matrix.find(weights, f"{layer}.weight"))
        image.vector(f"{name}.u.{layer}.bias", weights[f"{layer}.bias"])


def _figures(config: AdapterConfig, chained: bool) -> dict[str, Any]:
    known = config.figures(chained, "told" if config.reads_u else "argmax")
    return {
        "run": list(known.draft_run), "run_rejected": list(known.draft_run_rejected),
        "confidence": None if known.confidence is None else list(known.confidence),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command of this file; returns the exit status."""
    parser = argparse.ArgumentParser(description="Writes what the browser downloads: head.json and weights.bin.")
    parser.add_argument("target", type=Path, help="folder of the model, its matrices in eight bits")
    parser.add_argument("adapter", type=Path, help="folder of the adapter whose slots read u")
    parser.add_argument("blind", type=Path, nargs="?", help="folder of its u-blind twin")
    parser.add_argument("out", type=Path, help="folder to write to")
    asked = parser.parse_args(arguments)
    adapters = {"ptp": asked.adapter, **({"blind": asked.blind} if asked.blind else {})}
    try:
        head, binary = pack(asked.target, adapters)
    except (OSError, ValueError, KeyError) as error:
        print(error, file=sys.stderr)
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "head.json").write_text(json.dumps(head, separators=(",", ":")), encoding="utf-8")
    (asked.out / "weights.bin").write_bytes(binary)
    print(f"{asked.out}: {len(binary) / 1e6:.2f} MB of weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
