"""The parts of an adapter: what attaching, loading, saving and training must know of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .chain_head import ChainHead
from .config import Adapter, AdapterConfig
from .gated_lora import Gate, GatedLoraLinear, add_gated_lora, layers_to_adapt
from .parallel_slots import ParallelSlots
from .shallow_slots import ShallowSlots
from .u_embedding import build_u_embedding


class Part:
    """One kind of weights, as a state dict of a module. Subclasses say which, and what differs.

    setting   the field of AdapterConfig that describes the part; an adapter with an empty field lacks it
    file      its file in an adapter's folder
    title     what messages call it
    exact     beginnings of the names in the file whose tensors are never rounded to eight bits
    """

    setting: str
    file: str
    title: str
    exact: Sequence[str] = ()

    def wanted(self, config: AdapterConfig) -> bool:
        """Whether an adapter with this configuration has the part."""
        return bool(getattr(config, self.setting))

    def obstacle(self, target: nn.Module) -> str | None:
        """A sentence that says why this target must do without the part, or None."""
        return None

    def build(self, config: AdapterConfig, target: Any) -> nn.Module:
        """A fresh module for this target. It draws from torch's global generator."""
        raise NotImplementedError

    def fresh(self, config: AdapterConfig, target: Any) -> Any:
        """Weights to start training from. They draw from torch's global generator."""
        return self.build(config, target).state_dict()

    def attach(self, target: Any, config: AdapterConfig, weights: Any, gate: Gate) -> Any:
        """The frozen module with these weights in float32, on the target's device. ValueError if they do not fit."""
        module = self.build(config, target)
        try:
            module.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise ValueError(f"The adapter's {self.title} does not fit: {reason}") from None
        return module.to(_home(target).device).requires_grad_(False)

    def freeze(self, module: Any) -> None:
        """Prepares the module for the fast CPU kernels, which only decode."""

    def unfreeze(self, module: Any) -> list[nn.Parameter]:
        """Makes the module trainable, in float32 whatever the target's dtype; returns its parameters."""
        return list(module.requires_grad_(True).parameters())

    def weights(self, module: Any) -> Any:
        """The module's weights, as save_adapter takes them."""
        return dict(module.state_dict())

    def to_file(self, weights: Any) -> dict[str, Tensor]:
        """The tensors of the part's file."""
        return dict(weights)

    def from_file(self, tensors: Mapping[str, Tensor]) -> Any:
        """The weights in the part's file. ValueError if tensors are missing or foreign."""
        return dict(tensors)

    def halved(self, weights: Any) -> Any:
        """The weights as training saves them: numbers in bfloat16, indices in 32 bits."""
        return {key: part.bfloat16() if part.is_floating_point() else part.int() for key, part in weights.items()}


class _Lora(Part):
    """The low-rank deltas, under PEFT's key names. Weights are (A (r, in), B (out, r)) by the layer's name."""

    setting, file, title = "lora", "adapter_model.safetensors", "LoRA"
    _prefix, _ends = "base_model.model.", (".lora_A.weight", ".lora_B.weight")

    def fresh(self, config: AdapterConfig, target: Any) -> dict[str, tuple[Tensor, Tensor]]:
        pairs = {}
        for name, layer in layers_to_adapt(target, config.lora).items():
            a = torch.empty(config.lora.rank_of(name), layer.in_features)
            nn.init.kaiming_uniform_(a, a=5**0.5)
            pairs[name] = (a, torch.zeros(layer.out_features, len(a)))
        return pairs

    def attach(self, target: Any, config: AdapterConfig, weights: Any, gate: Gate) -> dict[str, GatedLoraLinear]:
        """Wraps the target's linear layers; returns them by name, in the target's dtype."""
        home, places = _home(target), layers_to_adapt(target, config.lora)
        if set(places) != set(weights):
            odd = sorted(set(places) ^ set(weights))[0]
            raise ValueError(f"The adapter {config.name!r} does not fit the target: layer {odd} is on one side only.")
        for key, place in places.items():
            (a, b), rank = weights[key], config.lora.rank_of(key)
            if a.shape != (rank, place.in_features) or b.shape != (place.out_features, rank):
                raise ValueError(f"The adapter {config.name!r} does not fit the target: {key} has another size.")
        layers = add_gated_lora(target, config.lora, gate)
        for key, layer in layers.items():
            a, b = weights[key]
            layer.lora_A = nn.Parameter(a.to(home.device, home.dtype), requires_grad=False)
            layer.lora_B = nn.Parameter(b.to(home.device, home.dtype), requires_grad=False)
        return layers

    def unfreeze(self, module: Mapping[str, GatedLoraLinear]) -> list[nn.Parameter]:
        for layer in module.values():
            layer.lora_A = nn.Parameter(layer.lora_A.detach().float())
            layer.lora_B = nn.Parameter(layer.lora_B.detach().float())
        return [matrix for layer in module.values() for matrix in (layer.lora_A, layer.lora_B)]

    def weights(self, module: Mapping[str, GatedLoraLinear]) -> dict[str, tuple[Tensor, Tensor]]:
        return {name: (layer.lora_A.detach(), layer.lora_B.detach()) for name, layer in module.items()}

    def to_file(self, weights: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        return {
            f"{self._prefix}{name}{end}": matrix
            for name, pair in weights.items()
            for end, matrix in zip(self._ends, pair, strict=True)
        }

    def from_file(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        pairs: dict[str, tuple[Tensor, Tensor]] = {}
        for key, a in tensors.items():
            if not key.startswith(self._prefix) or not key.endswith(self._ends):
                raise ValueError(f"The adapter holds a tensor that is no LoRA matrix: {key}.")
            if key.endswith(self._ends[0]):
                b = tensors.get(key.removesuffix(self._ends[0]) + self._ends[1])
                if b is None or a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
                    raise ValueError(f"The adapter's matrices do not fit each other: {key}.")
                pairs[key.removeprefix(self._prefix).removesuffix(self._ends[0])] = (a, b)
        return pairs

    def halved(self, weights: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
        return {name: (a.bfloat16(), b.bfloat16()) for name, (a, b) in weights.items()}


class _UEmbedding(Part):
    """The u embedding of slots. It is small, so training saves it in float32."""

    setting, file, title = "u_embedding", "u_embed.safetensors", "u embedding"
    _prefix = "u_embed."
    exact = (_prefix,)

    def build(self, config: AdapterConfig, target: Any) -> nn.Module:
        options = {key: value for key, value in config.u_embedding.items() if key != "kind"}
        return build_u_embedding(config.u_embedding["kind"], _size(target), config.start_slot, **options)

    def to_file(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {self._prefix + name: tensor for name, tensor in weights.items()}

    def from_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name.removeprefix(self._prefix): tensor for name, tensor in tensors.items()}

    def halved(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(weights)


class _Chain(Part):
    setting, file, title = "chain", "chain.safetensors", "chain head"

    def build(self, config: AdapterConfig, target: Any) -> nn.Module:
        return ChainHead(_size(target), config.chain)


class _Shallow(Part):
    setting, file, title = "shallow", "shallow.safetensors", "shallow slots"
    exact: Sequence[str] = (
        "entry.",
        "u_embed.",
    )  # an entry in eight bits changes five times as many drafts as all the deltas

    def obstacle(self, target: nn.Module) -> str | None:
        if len({parameter.device for parameter in target.parameters()}) <= 1:
            return None
        return "The target is spread over several devices; shallow slots need one and are left out."

    def build(self, config: AdapterConfig, target: Any) -> nn.Module:
        assert config.shallow is not None
        return ShallowSlots(config.shallow, target)

    def freeze(self, module: ShallowSlots) -> None:
        module.freeze()

    def unfreeze(self, module: ShallowSlots) -> list[nn.Parameter]:
        return module.unfreeze()


class _Parallel(_Shallow):
    setting, file, title = "parallel", "parallel.safetensors", "parallel slots"
    exact = ("entry.", "u_embed.", "masks")

    def build(self, config: AdapterConfig, target: Any) -> nn.Module:
        assert config.parallel is not None
        return ParallelSlots(config.parallel, target)


# By the part's name: its attribute of Adapter and PTPModel, and save_adapter's keyword. In the order of the hash.
PARTS: dict[str, Part] = {
    "lora": _Lora(),
    "u_embed": _UEmbedding(),
    "chain": _Chain(),
    "shallow": _Shallow(),
    "parallel": _Parallel(),
}


def attach(target: Any, adapter: Adapter, gate: Gate) -> tuple[dict[str, Any], list[str]]:
    """Puts an adapter onto a target: the module of each part that it has, by name, and notes for the user.

    Wraps linear layers of the target. Raises ValueError if a part does not fit.
    """
    modules, notes = {}, []
    for name, part in PARTS.items():
        if part.wanted(adapter.config):
            obstacle = part.obstacle(target)
            if obstacle:
                notes.append(obstacle)
            else:
                modules[name] = part.attach(target, adapter.config, getattr(adapter, name), gate)
    return modules, notes


def new_adapter(target: nn.Module, config: AdapterConfig) -> Adapter:
    """A fresh adapter for a target. Its deltas are zero, so at first a slot differs by its embedding only.

    Draws from torch's global generator, which the caller seeds.
    """
    return Adapter(config, **{name: part.fresh(config, target) for name, part in PARTS.items() if part.wanted(config)})


def check_fit(config: AdapterConfig, name: str, target_info: Mapping[str, Any]) -> list[str]:
    """Notes about an adapter on the target called `name`: it may have been trained for other weights.

    Raises ValueError where sizes differ.
    """
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


def _size(target: Any) -> int:
    return int(target.config.hidden_size)


def _home(target: Any) -> Tensor:
    """A weight of the target that tells where its slots live, and in which dtype."""
    return target.get_input_embeddings().weight
