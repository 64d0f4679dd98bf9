"""Putting an adapter onto a target: a fresh one to train, a saved one to draft with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .chain_head import ChainHead
from .config import Adapter, AdapterConfig
from .gated_lora import Gate, GatedLoraLinear, add_gated_lora
from .shallow_slots import ShallowSlots
from .u_embedding import UEmbedding, build_u_embedding


def attach(
    target: Any, adapter: Adapter, gate: Gate, name: str
) -> tuple[dict[str, GatedLoraLinear], UEmbedding, ChainHead | None, ShallowSlots | None]:
    """Wraps the linear layers of the target called name and fills in the adapter's weights.

    Returns the wrapped layers by their name, the u embedding, the chain head and the shallow slots; ValueError if
    the adapter does not fit.
    """
    config = adapter.config
    weight = target.get_input_embeddings().weight
    layers = add_gated_lora(target, config.lora, gate)
    if set(layers) != set(adapter.lora):
        odd = sorted(set(layers) ^ set(adapter.lora))[0]
        raise ValueError(f"The adapter {config.name!r} does not fit {name}: layer {odd} is on one side only.")
    for key, layer in layers.items():
        a, b = adapter.lora[key]
        if a.shape != layer.lora_A.shape or b.shape != layer.lora_B.shape:
            raise ValueError(f"The adapter {config.name!r} does not fit {name}: {key} has another size.")
        layer.lora_A = nn.Parameter(a.to(weight.device, weight.dtype), requires_grad=False)
        layer.lora_B = nn.Parameter(b.to(weight.device, weight.dtype), requires_grad=False)
    size = int(target.config.hidden_size)
    u_embed, chain = _u_embedding(config, size), ChainHead(size, config.chain) if config.chain else None
    _fill_in(u_embed, adapter.u_embed, weight.device, "u embedding")
    if chain is not None:
        _fill_in(chain, adapter.chain, weight.device, "chain head")
    shallow = ShallowSlots(config.shallow, target) if config.shallow else None
    if shallow is not None:
        _fill_in(shallow, adapter.shallow, weight.device, "shallow slots")
    return layers, u_embed, chain, shallow


def _fill_in(module: nn.Module, state: Mapping[str, Tensor], device: torch.device, what: str) -> None:
    """Loads a module in float32, frozen; ValueError if the state is not that module's."""
    try:
        module.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    except RuntimeError as error:
        raise ValueError(f"The adapter's {what} does not fit: {str(error).splitlines()[-1].strip()}") from None
    module.to(device).requires_grad_(False)


def check_fit(config: AdapterConfig, name: str, target_info: Mapping[str, Any]) -> list[str]:
    """An adapter of another model is a ValueError where sizes differ, a note where only names or hashes do."""
    for key in ("hidden_size", "num_layers", "vocab_size"):
        theirs, ours = config.target.get(key), target_info[key]
        if theirs is not None and theirs != ours:
            raise ValueError(
                f"The adapter {config.name!r} was trained for {config.target.get('name', 'another model')} "
                f"({key} {theirs}); {name} has {key} {ours}."
            )
    if config.target.get("sha256") == target_info.get("sha256"):
        return []
    return [
        f"The adapter was trained for {config.target.get('name', 'other weights')}; these weights are "
        "not known to be the same, so fewer drafts may be right. The text stays exact."
    ]


def dimensions(target: Any) -> dict[str, int]:
    """The sizes by which an adapter knows its target."""
    return {
        "hidden_size": int(target.config.hidden_size),
        "num_layers": int(target.config.num_hidden_layers),
        "vocab_size": int(target.get_output_embeddings().out_features),
    }


def new_adapter(target: Any, config: AdapterConfig) -> Adapter:
    """A fresh adapter for a target: random A, B = 0, so that at first a slot differs by its embedding only.

    Draws from torch's global generator, which the caller seeds.
    """
    layers = {
        name: module
        for name, module in target.named_modules()
        if name.rsplit(".", 1)[-1] in config.lora.target_modules and hasattr(module, "in_features")
    }
    lora = {}
    for name, layer in layers.items():
        a = torch.empty(config.lora.rank, layer.in_features)
        nn.init.kaiming_uniform_(a, a=5**0.5)
        lora[name] = (a, torch.zeros(layer.out_features, config.lora.rank))
    size = int(target.config.hidden_size)
    chain = ChainHead(size, config.chain).state_dict() if config.chain else {}
    shallow = ShallowSlots(config.shallow, target).state_dict() if config.shallow else {}
    return Adapter(config, lora, _u_embedding(config, size).state_dict(), chain=chain, shallow=shallow)


def _u_embedding(config: AdapterConfig, hidden_size: int) -> UEmbedding:
    options = {key: value for key, value in config.u_embedding.items() if key != "kind"}
    return build_u_embedding(config.u_embedding["kind"], hidden_size, config.start_slot, **options)
