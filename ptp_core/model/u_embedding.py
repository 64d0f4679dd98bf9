"""How a uniform u becomes the input embedding of a u-slot: one module per kind.

All of them map u (...,) in [0, 1) and the sampling temperature (a number or a tensor like u) to
(..., H) float32. `fourier` and `temperature` read the temperature, the others ignore it. `blank` and
`temperature` ignore u. The first five are the embeddings of the paper's reference code, feature by
feature, so that its checkpoints load.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..refusals import reason

_LARGEST_OPTION = 1 << 16
MIN_TEMPERATURE = 0.05  # log T has no value at 0; below this every distribution is greedy in effect
FREQUENCIES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


class UEmbedding(nn.Module):
    """Base of all kinds. `options` are the keyword arguments that rebuild the module; `start` is the
    learned vector (H,) of a window's first slot, where the adapter has one."""

    reads_u = True
    start: nn.Parameter

    def __init__(self, hidden_size: int, **options: Any) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.options = options

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        raise NotImplementedError


class LinearInterpolation(UEmbedding):
    """Piecewise linear between learned anchors spread evenly over [0, 1]."""

    def __init__(self, hidden_size: int, anchors: int = 3) -> None:
        super().__init__(hidden_size, anchors=anchors)
        self.embedding = nn.Embedding(anchors, hidden_size)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        place = u * (self.embedding.num_embeddings - 1)
        lower = place.floor().clamp(max=self.embedding.num_embeddings - 2)
        share = (place - lower)[..., None]
        index = lower.long()
        return torch.lerp(self.embedding(index), self.embedding(index + 1), share)


class Round(UEmbedding):
    """One learned vector per equal bin of u."""

    def __init__(self, hidden_size: int, bins: int = 32) -> None:
        super().__init__(hidden_size, bins=bins)
        self.embedding = nn.Embedding(bins, hidden_size)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        bins = self.embedding.num_embeddings
        return self.embedding((u * bins).long().clamp(0, bins - 1))


class Binary(UEmbedding):
    """The 32 bits of u as a float32, sign first, then a linear map (the paper's v2)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__(hidden_size)
        self.u_adapter = nn.Linear(32, hidden_size)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        shifts = torch.arange(31, -1, -1, device=u.device, dtype=torch.int32)
        bits = (u.float().contiguous().view(torch.int32)[..., None] >> shifts) & 1
        return self.u_adapter(bits.to(self.u_adapter.weight.dtype))


class ArithmeticBits(UEmbedding):
    """The first binary digits of u itself (the bits of an arithmetic code), then a linear map."""

    def __init__(self, hidden_size: int, bits: int = 24) -> None:
        super().__init__(hidden_size, bits=bits)
        self.linear = nn.Linear(bits, hidden_size)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        scales = 2.0 ** torch.arange(1, self.linear.in_features + 1, device=u.device)
        digits = (u.double()[..., None] * scales).floor() % 2
        return self.linear(digits.to(self.linear.weight.dtype))


class Sawtooth(UEmbedding):
    """u modulo 1, 1/2, ..., 1/32, then a linear map."""

    def __init__(self, hidden_size: int, teeth: int = 32) -> None:
        super().__init__(hidden_size, teeth=teeth)
        self.embedding = nn.Linear(teeth, hidden_size)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        widths = 1 / torch.arange(1, self.embedding.in_features + 1, device=u.device, dtype=torch.float32)
        return self.embedding(u.clamp(0, 1 - 1e-6)[..., None] % widths)


class QuarterCos(UEmbedding):
    """cos(pi n u) for n = 1..32, then a linear map."""

    def __init__(self, hidden_size: int, frequencies: int = 32) -> None:
        super().__init__(hidden_size, frequencies=frequencies)
        self.embedding = nn.Linear(frequencies, hidden_size)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        n = torch.arange(1, self.embedding.in_features + 1, device=u.device, dtype=torch.float32)
        return self.embedding((u[..., None] * n * math.pi).cos())


class Fourier(UEmbedding):
    """Waves of u, its logarithms towards both ends, and the temperature, through a small network.

    features = [u, cos(pi f u), sin(pi f u), log(u + 10^-k) / 4, log(1 - u + 10^-k) / 4 for k = 1..8,
    2 (T - 0.7), log T]. The logarithms resolve the thin bins at both ends of the CDF.
    """

    frequencies: Tensor
    offsets: Tensor

    def __init__(self, hidden_size: int, frequencies: tuple[float, ...] = FREQUENCIES, hidden: int = 256) -> None:
        super().__init__(hidden_size, frequencies=list(frequencies), hidden=hidden)
        self.register_buffer("frequencies", torch.tensor(frequencies, dtype=torch.float32))
        self.register_buffer("offsets", 10.0 ** -torch.arange(1, 9).float(), persistent=False)
        self.net = nn.Sequential(
            nn.Linear(2 * len(frequencies) + 19, hidden), nn.SiLU(), nn.Linear(hidden, hidden_size)
        )

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        heat = _heat(u, temperature)
        u = u.float()[..., None]
        waves = math.pi * self.frequencies * u
        ends = [torch.log(u + self.offsets) / 4, torch.log(1 - u + self.offsets) / 4]
        return self.net(torch.cat([u, waves.cos(), waves.sin(), *ends, *heat], dim=-1))


class Blank(UEmbedding):
    """One learned vector, whatever u is: for the u-blind baseline, whose slots never see u."""

    reads_u = False

    def __init__(self, hidden_size: int) -> None:
        super().__init__(hidden_size)
        self.vector = nn.Parameter(torch.randn(hidden_size) * 0.02)

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        return self.vector.expand(*u.shape, -1)


class Temperature(UEmbedding):
    """The temperature alone, whatever u is, through a small network: for slots that race, and never see u."""

    reads_u = False

    def __init__(self, hidden_size: int, hidden: int = 64) -> None:
        super().__init__(hidden_size, hidden=hidden)
        self.net = nn.Sequential(nn.Linear(2, hidden), nn.SiLU(), nn.Linear(hidden, hidden_size))

    def forward(self, u: Tensor, temperature: Tensor | float) -> Tensor:
        return self.net(torch.cat(_heat(u, temperature), dim=-1))


def _heat(u: Tensor, temperature: Tensor | float) -> list[Tensor]:
    """Two features (..., 1) of the temperature, which is a number or a tensor like u."""
    t = torch.as_tensor(temperature, dtype=torch.float32, device=u.device).expand(u.shape)
    t = t.clamp(min=MIN_TEMPERATURE)
    return [2 * (t - 0.7)[..., None], t.log()[..., None]]


U_EMBEDDINGS: dict[str, type[UEmbedding]] = {
    "linear_interpolation": LinearInterpolation,
    "round": Round,
    "binary": Binary,
    "arithmetic_bits": ArithmeticBits,
    "sawtooth": Sawtooth,
    "quarter_cos": QuarterCos,
    "fourier": Fourier,
    "blank": Blank,
    "temperature": Temperature,
}


def build_u_embedding(kind: str, hidden_size: int, start_slot: bool = False, **options: Any) -> UEmbedding:
    """The module for a kind named in an adapter's configuration; ValueError if there is none."""
    if kind not in U_EMBEDDINGS:
        raise ValueError(f"Unknown u embedding {kind!r}; known kinds: {', '.join(U_EMBEDDINGS)}.")
    for name, value in options.items():
        numbers = value if isinstance(value, (list, tuple)) else [value]
        if not all(type(x) in (int, float) and 0 < x <= _LARGEST_OPTION for x in numbers):
            raise ValueError(f"The u embedding {kind} cannot have {name} {value!r}.")
    try:
        module = U_EMBEDDINGS[kind](hidden_size, **options)
    except TypeError as error:
        raise ValueError(f"The u embedding {kind} does not know such settings: {reason(error)}.") from None
    if start_slot:
        module.start = nn.Parameter(torch.randn(hidden_size) * 0.02)
    return module
