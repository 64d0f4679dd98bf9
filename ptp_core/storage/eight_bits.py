"""Weights in eight bits by row, so that an adapter's files are half as large as in bfloat16.

A matrix W (R, C) is stored as whole numbers Q from -127 to 127 and float32 scales s (R, 1). W is nearly s Q. Its
name gains ".int8" and ".scale". So a reader that knows no such matrices misses W, instead of taking Q for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

_NUMBERS, _SCALE = ".int8", ".scale"
_LARGEST = 127


def encode(tensors: Mapping[str, Tensor], exact: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors with each matrix in eight bits that gets smaller so; what is stored so already stays as it is.

    exact: beginnings of the names whose tensors keep their precision.
    """
    out: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or not tensor.is_floating_point() or name.startswith(tuple(exact)):
            out[name] = tensor
            continue
        wide = tensor.float()
        scale = (wide.abs().amax(1, keepdim=True) / _LARGEST).clamp(min=torch.finfo(torch.float32).tiny)
        packed = {name + _NUMBERS: (wide / scale).round().to(torch.int8), name + _SCALE: scale}
        out |= packed if sum(map(_bytes, packed.values())) < _bytes(tensor) else {name: tensor}
    return out


def decode(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under their own names: those in eight bits as float32, the others as they are.

    Raises ValueError if a matrix has no scale, or one of another height.
    """
    out = {name: tensor for name, tensor in tensors.items() if not name.endswith((_NUMBERS, _SCALE))}
    for name in (name.removesuffix(_NUMBERS) for name in tensors if name.endswith(_NUMBERS)):
        numbers, scale = tensors[name + _NUMBERS], tensors.get(name + _SCALE)
        if scale is None or scale.shape != (len(numbers), 1):
            raise ValueError(f"The matrix {name} is stored in eight bits without its scales.")
        out[name] = numbers.float() * scale.float()
    return out


def is_encoded(names: Iterable[str]) -> bool:
    """Whether one of these tensors is stored in eight bits."""
    return any(name.endswith(_NUMBERS) for name in names)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
