"""Matrix products of the inference kernels: packed, joined, and in eight bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

# the linear layers that read one input, and so can be one product, by their places in a layer of Llama's layout
PRODUCTS = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
_PACK_ROWS = 8  # the row count that the packed layout is tuned for; others work as well


def can_pack() -> bool:
    """Whether this build of PyTorch has oneDNN's prepacked linear product."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def is_llama_layout(base_model: Any) -> bool:
    """Whether this is the Llama layout: separate q, k, v, o with full rotary, a SiLU-gated MLP, RMS norms."""
    layers = getattr(base_model, "layers", None)
    if not layers or not hasattr(base_model, "rotary_emb") or not _is_rms(getattr(base_model, "norm", None)):
        return False
    config = base_model.config
    partial = (getattr(config, "rope_parameters", None) or {}).get("partial_rotary_factor", 1.0)
    plain = getattr(config, "hidden_act", None) == "silu" and partial == 1.0
    return plain and all(map(_is_llama_layer, layers))


_LLAMA_PARTS = {place for places in PRODUCTS.values() for place in places}


def _is_llama_layer(layer: Any) -> bool:
    norms = (getattr(layer, name, None) for name in ("input_layernorm", "post_attention_layernorm"))
    return {name for name, _ in layer.named_modules()} >= _LLAMA_PARTS and all(map(_is_rms, norms))


def _is_rms(norm: Any) -> bool:
    return hasattr(norm, "weight") and hasattr(norm, "variance_epsilon")


P = TypeVar("P")


def products_of(layer: Any, make: Callable[[list[Any]], P]) -> dict[str, P]:
    """The four products of a layer by name; `make` joins the linear layers of one input."""
    return {name: make([layer.get_submodule(place) for place in places]) for name, places in PRODUCTS.items()}


class LlamaLayer:
    """What every pass through a layer reads beside its products: place, scale of attention, norms."""

    def __init__(self, layer: Any) -> None:
        attention = layer.self_attn
        self.index: int = attention.layer_idx
        self.scale: float = attention.scaling
        self.norm_in, self.norm_mlp = layer.input_layernorm, layer.post_attention_layernorm
        self.q_norm, self.k_norm = getattr(attention, "q_norm", None), getattr(attention, "k_norm", None)


class JoinedLayer(LlamaLayer, Generic[P]):
    """A layer whose products are made by `make`."""

    def __init__(self, layer: Any, make: Callable[[list[Any]], P]) -> None:
        super().__init__(layer)
        self.qkv, self.out, self.gate_up, self.down = products_of(layer, make).values()


class PackedLinear:
    """x (T, in) -> (T, out) with a weight (out, in) in oneDNN's own layout; optionally added to a residual."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._bias = None if bias is None else bias.detach()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), _PACK_ROWS)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self._packed, self._bias, "none", [], "")

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise.binary(x, residual, self._packed, self._bias, "add")


def rotary_turns(rotary: Any, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Tables (B, T, D) for `rotate` from a model's rotary embedding; x (B, T, E) gives dtype and device."""
    cos, sin = rotary(x, positions)
    half = sin.shape[-1] // 2
    return cos, torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)


def rotate(heads: Tensor, cos: Tensor, turn: Tensor) -> Tensor:
    """heads (T, H, D) turned by tables (T, 1, D); with -turn, back again."""
    return torch.addcmul(heads * cos, heads.roll(heads.shape[-1] // 2, -1), turn)


def rms_norm(x: Tensor, norm: Any) -> Tensor:
    return F.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


Linear = Callable[[Tensor], Tensor]
Weights = tuple[Tensor, Tensor | None]
_EIGHT_BITS = 127
_LANES = 16  # numbers of a row that the kernel for eight bits reads at once
_CLOSE = 0.05  # relative: what eight bits and bfloat16 may change in a product


class Int8Linear:
    """x (1, in), bfloat16 -> (1, out) with a weight in eight bits, scaled by row."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = (weight.abs().amax(1) / _EIGHT_BITS).clamp(min=1e-12)
        self._weight = (weight / scale[:, None]).round().to(torch.int8)
        self._scale = scale.bfloat16()
        self._bias = None if bias is None else bias.bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        y = torch._weight_int8pack_mm(x, self._weight, self._scale)
        return y if self._bias is None else y + self._bias

    @staticmethod
    def suits(weight: Tensor) -> bool:
        """Whether this machine multiplies such a weight so, and rightly."""
        if weight.device.type != "cpu" or not hasattr(torch, "_weight_int8pack_mm"):
            return False
        if weight.shape[1] % _LANES:  # torch's kernel reads past the end of such a row
            return False
        x = torch.sin(torch.arange(weight.shape[1]).float())[None].bfloat16()
        expected = x.float() @ weight.t()
        try:
            found = Int8Linear(weight, None)(x).float()
        except RuntimeError:
            return False
        return float((found - expected).norm()) <= _CLOSE * float(expected.norm())


def product(weights: Weights, dtype: torch.dtype, before: Tensor | None = None) -> Linear:
    """x -> (x * before) weight^T + bias, for single rows in dtype."""
    weight, bias = weights
    if before is not None:
        weight = weight * before.float()
    if dtype == torch.bfloat16 and Int8Linear.suits(weight):
        return Int8Linear(weight, bias)
    whole, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    if weight.device.type == "cpu" and can_pack():
        return PackedLinear(whole, bias)
    return lambda x: F.linear(x, whole, bias)


def unit(x: Tensor, eps: float) -> Tensor:
    """RMS norm of a row (1, E) without its weight, in fewer operations than torch's for so little."""
    row = x[0]
    return x * torch.rsqrt(torch.dot(row, row) / len(row) + eps)


def units(x: Tensor, eps: float) -> Tensor:
    """The same of many rows (R, E)."""
    return unit(x, eps) if len(x) == 1 else F.rms_norm(x, x.shape[-1:], None, eps)


def normed(heads: Tensor, norm: Any) -> Tensor:
    return F.rms_norm(heads, norm.weight.shape, norm.weight.float(), norm.variance_epsilon)


def side_by_side(*parts: Tensor) -> Tensor:
    """(..., E) each -> (..., parts E), float32: each part normalised on its own."""
    return torch.cat([F.layer_norm(part.float(), part.shape[-1:]) for part in parts], dim=-1)
