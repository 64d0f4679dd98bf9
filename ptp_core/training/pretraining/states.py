"""Networks as runs leave them."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file

from ...storage.built_in import WEIGHTS
from ...storage.eight_bits import decode, encode
from .network import PLACES, Shape, SmallLlama

JOINED = {"qkv": ("q", "k", "v"), "out": ("o",), "gate_up": ("gate", "up"), "down": ("down",)}


def load_network(run: Path) -> SmallLlama:
    """The network of a pretraining run, as its last state holds it, or of a saved target (export.save_target).

    A saved target has no embeddings of u: those stay as drawn. FileNotFoundError if there is neither.
    """
    if not (run / "state.pt").is_file() and (run / WEIGHTS).is_file():
        return _load_target(run)
    state = torch.load(run / "state.pt", weights_only=True)
    sizes = {field.name for field in fields(Shape)}
    found = {key: value for key, value in state["config"].items() if key in sizes}
    net = SmallLlama(Shape(vocabulary=len(state["net"]["embed"]), **found))
    net.load_state_dict(state["net"])
    return net.requires_grad_(False)


def _load_target(folder: Path) -> SmallLlama:
    config = json.loads((folder / "config.json").read_text())
    weights = decode(load_file(folder / WEIGHTS))
    shape = Shape(
        config["vocab_size"], config["hidden_size"], config["num_hidden_layers"], config["intermediate_size"],
        config["max_position_embeddings"], config["rope_theta"], config["rms_norm_eps"],
    )  # fmt: skip
    net = SmallLlama(shape)
    found = {"embed": weights["model.embed_tokens.weight"], "norm": weights["model.norm.weight"]}
    for i in range(shape.layers):
        told = f"model.layers.{i}."
        found[f"layers.{i}.norm_in"] = weights[f"{told}input_layernorm.weight"]
        found[f"layers.{i}.norm_mlp"] = weights[f"{told}post_attention_layernorm.weight"]
        for name, parts in JOINED.items():
            found[f"layers.{i}.{name}"] = torch.cat([weights[f"{told}{PLACES[part]}.weight"] for part in parts])
    own = {name: value for name, value in net.state_dict().items() if name.startswith(("told.", "blind."))}
    net.load_state_dict(own | found)
    return net.requires_grad_(False)


def round_to_eight_bits(net: SmallLlama) -> SmallLlama:
    """The network with its target's matrices as the saved target has them, which are the ones that count."""
    for name, weight in net.named_parameters():
        if weight.ndim == 2 and not name.startswith(("told", "blind")):
            weight.copy_(decode(encode({name: weight}))[name])
    return net
