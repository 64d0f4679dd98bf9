"""A pretrained small target as the lab loads it, and its slots as adapters to start from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ...model.config import AdapterConfig, DraftFigures, LoraConfig
from ...storage.adapter_files import save_adapter, store_adapter
from ...storage.built_in import WEIGHTS
from ...storage.default_target import sha256
from ...storage.eight_bits import encode
from .network import PLACES, TOP_K, TOP_P, SmallLlama
from .slots import Slots
from .states import load_network, round_to_eight_bits

_FOLDERS = ("target", "data", "out")  # folders of the machine that trained


def save_target(net: SmallLlama, tokenizer: Path, folder: Path) -> None:
    """Writes a folder in transformers' layout: a LlamaForCausalLM with its matrices in eight bits by row.

    tokenizer: a folder with tokenizer.json and tokenizer_config.json.
    """
    shape = net.shape
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "intermediate_size": shape.mlp,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": 64,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.longest,
        "rope_theta": shape.theta,
        "rms_norm_eps": shape.eps,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(encode(target_weights(net)), folder / WEIGHTS)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tokenizer / name).read_bytes())


def target_weights(net: SmallLlama) -> dict[str, Tensor]:
    """The target's weights under transformers' names, float32."""
    e, f = net.shape.hidden, net.shape.mlp
    found = {"model.embed_tokens.weight": net.embed, "model.norm.weight": net.norm}
    for i, layer in enumerate(net.layers):
        parts: dict[str, Any] = {
            "input_layernorm": layer.norm_in,
            "post_attention_layernorm": layer.norm_mlp,
            "self_attn.o_proj": layer.out,
            "mlp.down_proj": layer.down,
        }
        names = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        parts |= dict(zip(names, layer.qkv.split(e), strict=True))
        parts |= dict(zip(("mlp.gate_proj", "mlp.up_proj"), layer.gate_up.split(f), strict=True))
        found |= {f"model.layers.{i}.{name}.weight": weight for name, weight in parts.items()}
    return {name: weight.detach().float().contiguous() for name, weight in found.items()}


def save_slots(net: SmallLlama, slots: Slots, config: AdapterConfig, folder: Path) -> None:
    """Writes slots as an adapter of the lab. config gives the window, what it says of the target, and its training."""
    kind = slots.kind
    embedding = {"kind": "fourier" if kind.told else "blank", **slots.embedding.options}
    first = kind.start_slot or not kind.told  # all windows here begin with a slot that predicts the first token
    config = replace(config, variant=kind.variant, order=kind.order, start_slot=first, u_embedding=embedding)
    lora = {}
    for i, pairs in enumerate(slots.deltas):
        for part, place in PLACES.items():
            lora[f"model.layers.{i}.{place}"] = (pairs[f"{part}_a"].detach(), pairs[f"{part}_b"].detach())
    embed, chain = (
        {key: tensor.detach() for key, tensor in part.state_dict().items()} if part else None
        for part in (slots.embedding, slots.chain)
    )
    if not kind.told:  # a slot like the others
        embed = {**(embed or {}), "start": slots.embedding.state_dict()["vector"].clone()}
    save_adapter(folder, config, lora, embed or {}, chain)


def save_run(run: Path, target: Path, adapters: Path, eight_bits: bool = True) -> list[Path]:
    """Writes the target of a run of `train slots`, and each kind of its slots as an adapter; returns the folders.

    The target's folder gives the adapters their names. FileNotFoundError if there is no run.
    """
    state = torch.load(run / "state.pt", weights_only=True)
    config = state["config"]
    net = load_network(Path(config["target"]))
    save_target(net, Path(config["data"]), target)
    net = round_to_eight_bits(net)
    about = {"name": target.name, "file": WEIGHTS, "sha256": sha256(target / WEIGHTS), **sizes_of(net)}
    made = [target]
    lines = (run / "log.jsonl").read_text().splitlines()
    for kind in config["kinds"]:
        slots = Slots(net, kind, config["rank"], config["chain"])
        slots.load_state_dict(
            {key.removeprefix(f"{kind}."): part for key, part in state["net"].items() if key.startswith(f"{kind}.")}
        )
        found = json.loads(lines[-1])
        folder = adapters / f"{target.name}{slots.kind.ending}"
        counts = {key: found[key] for key in ("step", "targets", "seconds")}
        lora, chain, measured = LoraConfig(config["rank"], config["rank"]), config["chain"], found[kind]
        settings = AdapterConfig(
            window=config["slots"], chain=chain, lora=lora, target=about, name=folder.name,
            sampling={"top_k": TOP_K, "top_p": TOP_P, "temperature": "as sampled"},
            training={key: config[key] for key in config if key not in _FOLDERS} | counts,
            evaluation={"held_out": measured}, draft_run=tuple(measured["draft_run"]),
            unchained=DraftFigures(tuple(measured["run_without_chain"])) if chain else None,
        )  # fmt: skip
        save_slots(net, slots, settings, folder)
        if eight_bits:
            store_adapter(folder, folder)
        made.append(folder)
    return made


def sizes_of(net: SmallLlama) -> dict[str, int]:
    """The sizes by which an adapter and a target are compared."""
    shape = net.shape
    return {"hidden_size": shape.hidden, "num_layers": shape.layers, "vocab_size": shape.vocabulary}
