"""Shallow PTP: u-slots that enter the target near its end.

    R rows    B sequences    N windows of L slots    E hidden size    D head size
    W tokens of the draft vocabulary

A slot of the paper runs through every layer, in the call that verifies, once per branch. A shallow slot runs through
the last `depth` layers, after that call. One branch is left then, and its first token is known.

One linear map, the entry, estimates what the other layers would have made of a token. It reads the token's embedding
and the target's state that chose the first one. The slot's u is added. The last layers are the target's with a low-rank
delta. They read the keys and values that the target has cached for them. So a shallow slot predicts even before
training, like the target without its lower layers. Slots draft in turn. Each is told the token before its own.

This is the lab's addition to the paper's PTP. EAGLE (Li et al. 2024) also drafts from the target's states and the last
token. LayerSkip (Elhoushi et al. 2024) also drafts with a part of the target's layers. Neither reads u.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import KVCache, attend_windows
from .config import ShallowConfig
from .gated_lora import joined
from .kernels.products import (
    PRODUCTS,
    Linear,
    LlamaLayer,
    products_of,
    rms_norm,
    rotary_turns,
    rotate,
    side_by_side,
)
from .kernels.shallow_inference import Drafting, PackedShallow
from .layout import additive
from .u_embedding import build_u_embedding

Attend = Callable[[int, Tensor, Tensor, Tensor, float], Tensor]


class _Delta(nn.Module):
    """x (R, in) -> B A x (R, out); nothing before training."""

    def __init__(self, size_in: int, size_out: int, rank: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.empty(rank, size_in))
        self.B = nn.Parameter(torch.zeros(size_out, rank))
        nn.init.kaiming_uniform_(self.A, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x, self.A.to(x.dtype)), self.B.to(x.dtype))


class _Layer(LlamaLayer):
    """One of the target's last layers: frozen products and norms, deltas beside them."""

    def __init__(self, layer: Any, deltas: Any) -> None:
        super().__init__(layer)
        self._deltas = deltas
        self._weights = products_of(layer, joined)

    @property
    def frozen(self) -> Tensor:
        """A weight that tells dtype and device."""
        return self._weights["qkv"][0]

    def trained(self) -> Mapping[str, Linear]:
        """The products as training needs them: differentiable in the deltas."""
        return {name: self._trained(name) for name in PRODUCTS}

    def _trained(self, name: str) -> Linear:
        (weight, bias), delta = self._weights[name], self._deltas[name]
        return lambda x: F.linear(x, weight, bias) + delta(x)

    @torch.no_grad()
    def merged(self, name: str) -> tuple[Tensor, Tensor | None]:
        """Weight, float32, and bias of a product with its delta in it."""
        (weight, bias), delta = self._weights[name], self._deltas[name]
        return weight.float() + (delta.B @ delta.A).to(weight.device), bias

    def forget(self) -> None:
        """Lets go of the frozen weights."""
        self._weights = {}


class ShallowSlots(nn.Module):
    """The shallow slots of a target: what is trained, and the frozen layers that they run through.

    Raises ValueError if the target has too few layers or another layout than Llama's.
    """

    vocabulary: Tensor  # (W,) sorted ids of the tokens that can be drafted

    def __init__(self, config: ShallowConfig, target: Any) -> None:
        super().__init__()
        base, sizes = target.base_model, target.config
        layers = getattr(base, "layers", None)
        if not layers or any(not hasattr(getattr(x, "mlp", None), "gate_proj") for x in layers[-config.depth :]):
            raise ValueError("Shallow slots need a target of Llama's layout.")
        if len(layers) < config.depth:
            raise ValueError(f"The target has {len(layers)} layers, its shallow slots want the last {config.depth}.")
        if config.vocabulary > target.get_output_embeddings().out_features:
            raise ValueError(f"The shallow slots' vocabulary of {config.vocabulary} is larger than the target's.")
        self.config = config
        size, self.size = int(sizes.hidden_size), int(layers[0].self_attn.head_dim)
        self.heads, self.groups = int(sizes.num_attention_heads), int(sizes.num_key_value_heads)
        inner, mixed = int(sizes.intermediate_size), self.heads * self.size
        shapes = {
            "qkv": (size, mixed + 2 * self.groups * self.size),
            "out": (mixed, size),
            "gate_up": (size, 2 * inner),
            "down": (inner, size),
        }
        self.entry = nn.Linear(2 * size, size)
        options = {key: value for key, value in config.u_embedding.items() if key != "kind"}
        self.u_embed = build_u_embedding(config.u_embedding["kind"], size, **options)
        for parameter in self.u_embed.parameters():
            nn.init.zeros_(parameter) if parameter.ndim == 1 else parameter.data.mul_(0.5)  # the entry is not drowned
        self.deltas = nn.ModuleList(
            nn.ModuleDict({name: _Delta(*shapes[name], config.rank) for name in PRODUCTS}) for _ in range(config.depth)
        )
        self.register_buffer("vocabulary", torch.arange(config.vocabulary))
        last = list(layers)[-config.depth :]
        self._layers = [_Layer(layer, deltas) for layer, deltas in zip(last, self.deltas, strict=True)]
        self._rotary, self._norm = [base.rotary_emb], [base.norm]  # in lists: parts of the target, not of this module
        self._embed, self._output = [target.get_input_embeddings()], [target.get_output_embeddings()]
        self._merged: PackedShallow | None = None

    # ---- training ------------------------------------------------------------------------------

    def windows(
        self, u: Tensor, temperature: Tensor, tokens: Tensor, settling: Tensor, positions: Tensor, seen: Tensor,
        context: KVCache,
    ) -> Tensor:  # fmt: skip
        """Last hidden states (B, N, L, E) of windows of slots, differentiable in all that is trained.

        u, temperature, tokens, positions: (B, N, L); tokens holds the one before each slot's own, positions its place.
        settling: (B, N, E), the target's states that chose each window's first such token. seen: (B, N, S) bool, the
        context's rows that a window sees.
        """
        frozen = self._layers[0].frozen
        batch, count, length = u.shape
        x = self.enter(self._told(tokens), settling[:, :, None].expand(-1, -1, length, -1), u, temperature)
        mask = additive(seen, frozen.device, frozen.dtype)[:, :, None].expand(-1, -1, length, -1)

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
            query, key, value = (part.unflatten(0, (batch, -1)).transpose(1, 2) for part in (query, key, value))
            keys, values = context.layer(layer)
            out = attend_windows(query, key, value, keys, values, mask.flatten(1, 2)[:, None], length, scale)
            return out.transpose(1, 2).flatten(0, 1)

        rows = x.flatten(0, 2).to(frozen.device, frozen.dtype)
        out = self._run(rows, positions.flatten(), [layer.trained() for layer in self._layers], attend)
        return out.view(batch, count, length, -1)

    def _told(self, tokens: Tensor) -> Tensor:
        """What stands for the tokens (..., L) in front of the slots of windows: (..., L, E)."""
        return self._embed[0](tokens)

    def enter(self, embeddings: Tensor, settling: Tensor, u: Tensor, temperature: Tensor | float) -> Tensor:
        """What slots begin with (..., E), float32; embeddings of the tokens in front and settling states (..., E)."""
        return self.entry(side_by_side(settling, embeddings)) + self.u_embed(u, temperature)

    def _run(self, x: Tensor, positions: Tensor, products: Sequence[Mapping[str, Linear]], attend: Attend) -> Tensor:
        """x (R, E) at positions (R,) through the layers and the last norm, in x's dtype."""
        cos, turn = (part[0, :, None] for part in rotary_turns(self._rotary[0], x[None], positions[None].to(x.device)))
        split = self.heads + self.groups
        for layer, linear in zip(self._layers, products, strict=True):
            heads = linear["qkv"](rms_norm(x, layer.norm_in)).view(len(x), -1, self.size)
            query, key = heads[:, : self.heads], heads[:, self.heads : split]
            if layer.q_norm is not None:
                query, key = rms_norm(query, layer.q_norm), rms_norm(key, layer.k_norm)
            mixed = attend(layer.index, rotate(query, cos, turn), rotate(key, cos, turn), heads[:, split:], layer.scale)
            x = x + linear["out"](mixed.flatten(1).to(x.dtype))
            gate, up = linear["gate_up"](rms_norm(x, layer.norm_mlp)).chunk(2, dim=-1)
            x = x + linear["down"](F.silu(gate) * up)
        return rms_norm(x, self._norm[0])

    # ---- decoding ------------------------------------------------------------------------------

    def freeze(self) -> None:
        """For decoding only: merged weights at once, so that the target's layers may go."""
        self._packed()
        for layer in self._layers:
            layer.forget()

    def unfreeze(self) -> list[nn.Parameter]:
        """For training; returns the parameters. Weights that drafting has merged are forgotten."""
        self._merged = None
        return list(self.requires_grad_(True).parameters())

    def _packed(self) -> PackedShallow:
        if self._merged is None:
            self._merged = self._pack()
        return self._merged

    def _pack(self) -> PackedShallow:
        return PackedShallow(**self._packing())

    def _packing(self) -> dict[str, Any]:
        """What PackedShallow is made of."""
        return {
            "vocabulary": self.vocabulary,
            "entry": self.entry,
            "sizes": (self.heads, self.groups, self.size),
            "layers": self._layers,
            "products": [{name: layer.merged(name) for name in PRODUCTS} for layer in self._layers],
            "norm": self._norm[0],
            "head": self._output[0],
        }

    def drafting(self, settling: Tensor, u: Sequence[float], temperature: float, cache: KVCache) -> Drafting:
        """Slots with noise u behind the cached text and one token more, which the state settling (E,) chose."""
        positions = torch.arange(cache.length, cache.length + len(u), device=settling.device)
        turns = rotary_turns(self._rotary[0], settling[None, None].float(), positions[None])
        noise = self.u_embed(torch.tensor(u, device=self.entry.weight.device), temperature)
        return Drafting(self._packed(), self._embed[0], settling, noise, turns, cache)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., E) -> (..., W), float32, with the target's own output layer."""
        head = self._output[0]
        chosen = self.vocabulary.to(head.weight.device)
        bias = None if head.bias is None else head.bias[chosen].float()
        return F.linear(hidden.float(), head.weight[chosen].float(), bias)
