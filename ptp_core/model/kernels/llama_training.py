"""The Llama layers of training: the passes of teacher and windows, with their gradients written by hand.

Only slots and adapter receive gradients. The frozen weights need none, and the context's keys and values are constants.
Layers that read the same input are one product. The formulas are those of the transformers class: lean_layers compares
the outputs, and tests compare the gradients. docs/log.md has the gains.

    B sequences    R rows of the call, all sequences together: real tokens, or B N L slots of N windows
    E hidden size    D head size    G key/value heads    J query heads to each
    S real rows that slots may see    W = S + L, rounded up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..attention import KVCache, Windows, attend_grouped
from ..gated_lora import GatedLoraLinear, frozen_layers, joined
from .products import JoinedLayer, is_llama_layout, products_of, rms_norm, rotary_turns, rotate

_COLUMNS = 16  # softmax is faster by a third over rows of this multiple
_PROBE = 5  # real tokens by which the layers are compared with transformers'
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}  # relative: what another order of operations may change


class _GatedProduct(torch.autograd.Function):
    """x (R, in) -> x W^T + bias, plus scale B_i A_i x in the i-th part of the columns; `pairs` is A_1, B_1, A_2, ..."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, scale: float, *pairs: Tensor) -> Tensor:
        a = torch.cat([part.to(x.dtype) for part in pairs[::2]])  # (sum of r, in)
        b = [(part * scale).to(x.dtype) for part in pairs[1::2]]  # (out_i, r) each
        low = x @ a.t()  # (R, sum of r)
        y = F.linear(x, weight, bias)
        for part, low_part, b_part in zip(_columns(y, b), low.chunk(len(b), -1), b, strict=True):
            part.addmm_(low_part, b_part.t())
        ctx.save_for_backward(x, weight, low, a, *b)
        ctx.scale = scale
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, low, a, *b = ctx.saved_tensors
        parts = _columns(dy, b)
        d_low = torch.cat([part @ b_part for part, b_part in zip(parts, b, strict=True)], dim=-1)
        dx = (dy @ weight).addmm_(d_low, a)
        d_a = (d_low.t() @ x).float().chunk(len(b))
        d_b = [(part.t() @ row).float() * ctx.scale for part, row in zip(parts, low.chunk(len(b), -1), strict=True)]
        return dx, None, None, None, *(gradient for pair in zip(d_a, d_b, strict=True) for gradient in pair)


def _columns(y: Tensor, b: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return y.split([len(part) for part in b], dim=-1)


class _SharedLinears:
    """Linear layers of one input. Their weights become parts of one tensor, so that nothing is held twice."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self._gated = [layer for layer in layers if isinstance(layer, GatedLoraLinear)]
        self._weight, self._bias = joined(layers)
        bases = frozen_layers(layers)
        if len(bases) > 1:
            for base, part in zip(bases, self._weight.split([len(b.weight) for b in bases]), strict=True):
                base.weight = nn.Parameter(part, requires_grad=False)

    def __call__(self, x: Tensor, gated: bool) -> Tensor:
        if not gated or not self._gated:
            return F.linear(x, self._weight, self._bias)
        pairs = [matrix for layer in self._gated for matrix in (layer.lora_A, layer.lora_B)]
        return _GatedProduct.apply(x, self._weight, self._bias, self._gated[0].scale, *pairs)


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: Any) -> Tensor:
        ctx.save_for_backward(x)
        ctx.norm = norm
        return rms_norm(x, norm)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        x = ctx.saved_tensors[0].float()
        inverse = (x.square().mean(-1, keepdim=True) + ctx.norm.variance_epsilon).rsqrt()
        unit, d_unit = x * inverse, dy.float() * ctx.norm.weight
        dx = torch.addcmul(d_unit, unit, (unit * d_unit).mean(-1, keepdim=True), value=-1) * inverse
        return dx.to(dy.dtype), None


class _SwiGLU(torch.autograd.Function):
    """gate_up (R, 2 F) -> silu(gate) * up (R, F)."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate) * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        gate, up = ctx.saved_tensors[0].chunk(2, dim=-1)
        return torch.cat([torch.ops.aten.silu_backward(dy * up, gate), dy * F.silu(gate)], dim=-1)


@dataclass(frozen=True)
class _Call:
    """What all layers of a call share: rotary tables (R, 1, D) and the additive mask.

    The mask of windows is (B G, N J L, W): context, own window, filling.
    """

    sequences: int
    cos: Tensor
    turn: Tensor
    mask: Tensor
    windows: Windows | None = None


class _WindowAttention(torch.autograd.Function):
    """qkv (R, (G J + 2 G) D) of windows -> mixed values (R, G J D), rotary included.

    keys and values (B G, W, D) are the context's, then zeros that keep the place of each window's own.
    So one softmax runs over both, and no window meets another.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, keys: Tensor, values: Tensor, call: _Call, scale: float) -> Tensor:
        assert call.windows is not None
        batch, size = len(keys), keys.shape[-1]  # batch = B G
        groups, length = batch // call.sequences, call.windows.length
        heads = qkv.view(call.sequences, -1, length, qkv.shape[1] // size, size)  # (B, N, L, G J + 2 G, D)
        split = heads.shape[3] - groups
        qk = rotate(heads[:, :, :, :split].flatten(0, 2), call.cos, call.turn).view(*heads.shape[:3], split, size)
        q = _by_window(qk[:, :, :, :-groups], groups)  # (B G N, J L, D)
        k, v = _by_window(qk[:, :, :, -groups:], groups), _by_window(heads[:, :, :, split:], groups)  # (B G N, L, D)
        own = slice(call.windows.context.length, call.windows.context.length + length)
        scores = torch.baddbmm(call.mask, q.view(batch, -1, size), keys.transpose(1, 2), alpha=scale)
        scores[..., own] += (q @ k.transpose(1, 2)).mul_(scale).view(batch, -1, length)
        weights = scores.softmax(-1)  # (B G, N J L, W)
        mixed = torch.bmm(weights, values).view_as(q)
        mixed.baddbmm_(weights[..., own].reshape(len(q), -1, length), v)
        ctx.save_for_backward(q, k, v, keys, values, weights)
        ctx.call, ctx.scale, ctx.own, ctx.shape = call, scale, own, heads.shape
        return _by_row(mixed, groups, call.sequences, length).reshape(len(qkv), -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, keys, values, weights = ctx.saved_tensors
        call, own = ctx.call, ctx.own
        batch, length, size = len(keys), k.shape[1], keys.shape[-1]
        groups = batch // call.sequences
        d_mixed = _by_window(d_out.view(*ctx.shape[:3], -1, size), groups)
        d_weights = torch.bmm(d_mixed.view(batch, -1, size), values.transpose(1, 2))
        d_weights[..., own] += (d_mixed @ v.transpose(1, 2)).view(batch, -1, length)
        d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype).mul_(ctx.scale)
        d_own, own_weights = (part[..., own].reshape(len(q), -1, length) for part in (d_scores, weights))
        dq = torch.bmm(d_scores, keys).view_as(q).baddbmm_(d_own, k)
        dk, dv = d_own.transpose(1, 2) @ q, own_weights.transpose(1, 2) @ d_mixed
        dq, dk, dv = (_by_row(d, groups, call.sequences, length) for d in (dq, dk, dv))
        d_qk = torch.cat([dq, dk], dim=3).flatten(0, 2)
        d_qk = rotate(d_qk, call.cos, -call.turn)  # the other way round
        return torch.cat([d_qk, dv.flatten(0, 2)], dim=1).flatten(1), None, None, None, None


def _by_window(heads: Tensor, groups: int) -> Tensor:
    """(B, N, L, G J, D) -> (B G N, J L, D)."""
    b, n, length, _, size = heads.shape
    return heads.view(b, n, length, groups, -1, size).permute(0, 3, 1, 4, 2, 5).reshape(b * groups * n, -1, size)


def _by_row(parts: Tensor, groups: int, sequences: int, length: int) -> Tensor:
    """(B G N, J L, D) -> (B, N, L, G J, D)."""
    size = parts.shape[-1]
    split = parts.view(sequences, groups, -1, parts.shape[1] // length, length, size)
    return split.permute(0, 2, 4, 1, 3, 5).flatten(3, 4)


class TrainLlama:
    """The layers of a Llama-like transformers model that carries gated LoRA; see the module's text."""

    def __init__(self, base_model: Any) -> None:
        config = base_model.config
        self._size, self._groups = base_model.layers[0].self_attn.head_dim, config.num_key_value_heads
        self._shared = config.num_attention_heads // self._groups  # J
        self._rotary, self._norm = base_model.rotary_emb, base_model.norm
        self._layers = [JoinedLayer(layer, _SharedLinears) for layer in base_model.layers]

    def real(self, embeddings: Tensor, positions: Tensor, mask: Tensor, cache: KVCache) -> Tensor:
        """Last hidden states (B, T, E) of real rows, without the delta. Writes the cache.

        embeddings: (B, T, E). positions: (T,) or (B, T). mask: additive, (B or 1, 1, T, K).
        """
        cos, turn = self._turns(embeddings, positions)
        call = _Call(len(embeddings), cos, turn, mask)
        return self._run(embeddings, call, cache)

    def windows(self, slots: Tensor, positions: Tensor, mask: Tensor, windows: Windows) -> Tensor:
        """Slots (B, N, L, E) with the delta, positions (B, N L), mask additive (B, 1, N L, S): like forward_windows."""
        cos, turn = self._turns(slots.flatten(1, 2), positions)
        call = _Call(len(slots), cos, turn, self._window_mask(mask, windows.length), windows)
        return self._run(slots, call, windows.context)

    def _run(self, embeddings: Tensor, call: _Call, cache: KVCache) -> Tensor:
        x, gated = embeddings.flatten(0, -2), call.windows is not None
        for layer in self._layers:
            qkv = layer.qkv(_normed(x, layer.norm_in), gated)
            mixed = self._over_windows(layer, qkv, call) if gated else self._over_real(layer, qkv, call, cache)
            x = x + layer.out(mixed, gated)
            gate_up = layer.gate_up(_normed(x, layer.norm_mlp), gated)
            x = x + layer.down(_SwiGLU.apply(gate_up), gated)
        return _normed(x, self._norm).view_as(embeddings)

    def _turns(self, embeddings: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        cos, turn = rotary_turns(self._rotary, embeddings, positions.expand(len(embeddings), -1))
        return cos.flatten(0, 1)[:, None], turn.flatten(0, 1)[:, None]

    def _window_mask(self, mask: Tensor, length: int) -> Tensor:
        """(B, 1, N L, S) -> (B G, N J L, W): each row repeated for the query heads that share keys."""
        b, _, rows, seen = mask.shape
        lowest = torch.finfo(mask.dtype).min
        own = torch.full((length, length), lowest, dtype=mask.dtype, device=mask.device).triu_(1)
        own = own.repeat(rows // length, 1)
        whole = torch.cat([mask, own.expand(b, 1, -1, -1)], dim=-1)
        whole = F.pad(whole, (0, -(seen + length) % _COLUMNS), value=lowest)
        by_window = whole.view(b, 1, -1, 1, length, whole.shape[-1])
        by_head = by_window.expand(-1, self._groups, -1, self._shared, -1, -1)
        return by_head.reshape(b * self._groups, -1, whole.shape[-1])

    def _over_windows(self, layer: JoinedLayer, qkv: Tensor, call: _Call) -> Tensor:
        assert call.windows is not None
        filling = call.mask.shape[-1] - call.windows.context.length
        seen = (F.pad(part.flatten(0, 1), (0, 0, 0, filling)) for part in call.windows.context.layer(layer.index))
        return _WindowAttention.apply(qkv, *seen, call, layer.scale)

    def _over_real(self, layer: JoinedLayer, qkv: Tensor, call: _Call, cache: KVCache) -> Tensor:
        """qkv (R, (G J + 2 G) D) -> (R, G J D); the new keys and values are cached."""
        heads = qkv.view(len(qkv), -1, self._size)
        split = heads.shape[1] - self._groups
        qk = rotate(heads[:, :split], call.cos, call.turn)
        query, key, value = (
            part.unflatten(0, (call.sequences, -1)).transpose(1, 2)
            for part in (qk[:, : -self._groups], qk[:, -self._groups :], heads[:, split:])
        )
        key, value = cache.update(key, value, layer.index)
        return attend_grouped(query, key, value, call.mask, layer.scale).transpose(1, 2).reshape(len(qkv), -1)


def _normed(x: Tensor, norm: Any) -> Tensor:
    return _RmsNorm.apply(x, norm)


def lean_layers(base_model: Any, embed: Any) -> TrainLlama | None:
    """TrainLlama for a target on one device whose layers it computes as they are, and None for others."""
    weight = embed.weight
    spread = len({parameter.device for parameter in base_model.parameters()}) > 1
    if spread or not is_llama_layout(base_model) or not all(map(_joins, base_model.layers)):
        return None
    place = {"dtype": weight.dtype, "device": weight.device}
    positions = torch.arange(_PROBE, device=weight.device)[None]
    mask = torch.full((1, 1, _PROBE, _PROBE), torch.finfo(weight.dtype).min, **place).triu_(1)
    with torch.no_grad():
        rows = embed(positions)
        call = {"attention_mask": mask, "position_ids": positions, "use_cache": False}
        expected = base_model(inputs_embeds=rows, **call).last_hidden_state
        lean = TrainLlama(base_model)
        found = lean.real(rows, positions, mask, KVCache(len(base_model.layers), _PROBE))
    return lean if float((found - expected).norm() / expected.norm()) < _TOLERANCE[weight.dtype] else None


def _joins(layer: Any) -> bool:
    """Whether layers of one input carry deltas of one size, or none, and nothing stands between them and the rotary."""
    kinds = products_of(layer, lambda parts: {_delta(part) for part in parts})
    return all(len(kind) == 1 for kind in kinds.values()) and getattr(layer.self_attn, "q_norm", None) is None


def _delta(part: Any) -> tuple[int, float] | None:
    """Rank and scale of a layer's delta; None where it has none."""
    return (len(part.lora_A), part.scale) if isinstance(part, GatedLoraLinear) else None
