"""The network of a small target while it is trained, with slots from the first step on.

One set of weights serves the target's rows and the slots. A slot differs by its input alone: an embedding of u, or one
learned vector where u is hidden. Slots never touch the target's rows, so the target stays a plain Llama.

    B sequences    T tokens of each    N windows per sequence    L slots per window
    E hidden size    H heads    D head size    V vocabulary
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...model.u_embedding import build_u_embedding
from ...sampling import SamplingConfig

TOP_K, TOP_P = SamplingConfig().top_k, SamplingConfig().top_p
PLACES = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
}  # fmt: skip
Context = list[tuple[Tensor, Tensor]]  # keys and values (B, H, T, D) of each layer


@dataclass(frozen=True)
class Shape:
    """Sizes of the network. Head size is 64; every head has keys and values of its own."""

    vocabulary: int = 1024
    hidden: int = 256
    layers: int = 8
    mlp: int = 512
    longest: int = 512
    theta: float = 10_000.0
    eps: float = 1e-5

    @property
    def heads(self) -> int:
        return self.hidden // 64


class Weights(Protocol):
    """The weights of one layer; those that read the same input are one matrix."""

    qkv: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor
    norm_in: Tensor
    norm_mlp: Tensor


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        e, f = shape.hidden, shape.mlp
        self.qkv = nn.Parameter(torch.empty(3 * e, e))
        self.out = nn.Parameter(torch.empty(e, e))
        self.gate_up = nn.Parameter(torch.empty(2 * f, e))
        self.down = nn.Parameter(torch.empty(e, f))
        self.norm_in, self.norm_mlp = nn.Parameter(torch.ones(e)), nn.Parameter(torch.ones(e))
        for weight in (self.qkv, self.gate_up):
            nn.init.normal_(weight, std=e**-0.5)
        for weight in (self.out, self.down):
            nn.init.normal_(weight, std=weight.shape[1] ** -0.5 / math.sqrt(2 * shape.layers))


class SmallLlama(nn.Module):
    """A Llama with tied embeddings, and slots that are told u ("told") or not ("blind")."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.dtype = torch.bfloat16  # of the products; sums, norms and weights stay in float32
        self.embed = nn.Parameter(torch.randn(shape.vocabulary, shape.hidden) * 0.02)
        self.layers: Any = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden))
        self.told = build_u_embedding("fourier", shape.hidden)
        self.blind = build_u_embedding("blank", shape.hidden)
        turns = shape.theta ** (-torch.arange(32) / 32)
        angles = torch.arange(shape.longest)[:, None] * torch.cat([turns, turns])
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", torch.cat([-angles.sin()[:, :32], angles.sin()[:, 32:]], -1), persistent=False)

    def real(self, tokens: Tensor) -> tuple[Tensor, Context]:
        """tokens (B, T) -> last hidden states (B, T, E), and keys and values for slots, without gradients."""
        x = self.embed[tokens]
        length = tokens.shape[1]
        cos, sin = self.cos[:length, None], self.sin[:length, None]
        context: Context = []
        for layer in self.layers:
            q, k, v = self._heads(layer, x, cos, sin)
            context.append((k.detach(), v.detach()))
            mixed = _causal(q, k, v)
            x = self._rest(layer, x, mixed)
        return self._normed(x, self.norm), context

    def slots(self, rows: Tensor, starts: Tensor, context: Context, layers: Iterable[Weights] | None = None) -> Tensor:
        """rows (B, N, L, E), starts (B, N) -> last hidden states (B, N, L, E). `layers` are the slots' own, if any.

        A window starts behind `start` tokens. Its slot j has the place of token start + j - 1, from which the target
        would predict the same token. It sees those tokens and the slots before it in its window.
        """
        b, n, length, _ = rows.shape
        device = rows.device
        places = (starts[..., None] - 1 + torch.arange(length, device=device)).flatten(1)  # (B, N L)
        cos, sin = self.cos[places][:, :, None], self.sin[places][:, :, None]
        columns = torch.arange(context[0][0].shape[2], device=device)
        seen = columns < starts[..., None, None].expand(-1, -1, length, -1).flatten(1, 2)  # (B, N L, T)
        window = torch.arange(n * length, device=device)
        own = (window[:, None] // length == window // length) & (window[:, None] >= window)
        mask = torch.cat([seen, own.expand(b, -1, -1)], -1)
        mask = torch.zeros(mask.shape, dtype=context[0][0].dtype, device=device).masked_fill_(~mask, -1e9)
        x = rows.flatten(1, 2)
        for layer, (keys, values) in zip(self.layers if layers is None else layers, context, strict=True):
            q, k, v = self._heads(layer, x, cos, sin)
            k, v = torch.cat([keys, k], 2), torch.cat([values, v], 2)
            mixed = _attend(q, k, v, mask)
            x = self._rest(layer, x, mixed)
        return self._normed(x, self.norm).view(b, n, length, -1)

    @torch.no_grad()
    def continue_windows(
        self, last: Tensor, starts: Tensor, context: Context, u: Tensor, temperature: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The tokens (B, N, L) with which the target goes on from each window's start, as u picks them.

        Behind them the distributions they come from: probabilities and token ids (B, N, L, TOP_K).
        last (B, N, V): its logits behind the first `start` tokens. u and temperature: (B, N, L).
        """
        b, n, length = u.shape
        odds = [filtered(last / temperature[..., :1])]
        tokens = [choose(*odds[0], u[..., 0])]
        columns = torch.arange(context[0][0].shape[2], device=u.device)
        mask = torch.zeros(b, n, len(columns), dtype=context[0][0].dtype, device=u.device)
        mask.masked_fill_(columns >= starts[..., None], -1e9)
        own: list[list[tuple[Tensor, Tensor]]] = [[] for _ in self.layers]
        for j in range(1, length):
            x = self.embed[tokens[-1]]
            places = starts + j - 1
            cos, sin = self.cos[places][:, :, None], self.sin[places][:, :, None]
            for i, layer in enumerate(self.layers):
                q, k, v = self._heads(layer, x, cos, sin)  # (B, H, N, D)
                own[i].append((k, v))
                x = self._rest(layer, x, _attend_beside(q, *context[i], mask, own[i]))
            odds.append(filtered(self.logits(self._normed(x, self.norm)) / temperature[..., j, None]))
            tokens.append(choose(*odds[-1], u[..., j]))
        probs, ids = (torch.stack(part, -2) for part in zip(*odds, strict=True))
        return torch.stack(tokens, -1), probs, ids

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embed.to(hidden.dtype))

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self.shape.eps).to(self.dtype)

    def _heads(self, layer: Weights, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = F.linear(self._normed(x, layer.norm_in), layer.qkv.to(self.dtype))
        qkv = qkv.view(*x.shape[:2], 3 * self.shape.heads, 64)
        qk, v = qkv[:, :, : 2 * self.shape.heads], qkv[:, :, 2 * self.shape.heads :]
        qk = (qk * cos + qk.roll(32, -1) * sin).to(self.dtype)
        q, k = qk.chunk(2, dim=2)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def _rest(self, layer: Weights, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + F.linear(mixed.transpose(1, 2).flatten(2), layer.out.to(self.dtype))
        gate, up = F.linear(self._normed(x, layer.norm_mlp), layer.gate_up.to(self.dtype)).chunk(2, dim=-1)
        return x + F.linear(F.silu(gate) * up, layer.down.to(self.dtype))


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """q (B, H, R, D), k and v (B, H, C, D), mask additive (B or 1, R, C) -> (B, H, R, D).

    Plain products: at these lengths they take half the time of the fused kernel on a CPU, gradients included.
    """
    b, h = q.shape[:2]
    q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
    mask = mask[:, None].expand(b, h, -1, -1).flatten(0, 1)
    scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
    return torch.bmm(scores.softmax(-1), v).unflatten(0, (b, h))


def _causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention over (B, H, T, D), in two halves: a quarter of the products would be masked whole."""
    length = q.shape[2]
    half = length // 2
    mask = torch.full((1, length, length), -1e9, dtype=q.dtype, device=q.device).triu_(1)
    first = _attend(q[:, :, :half], k[:, :, :half], v[:, :, :half], mask[:, :half, :half])
    return torch.cat([first, _attend(q[:, :, half:], k, v, mask[:, half:])], 2)


def _attend_beside(
    q: Tensor, keys: Tensor, values: Tensor, mask: Tensor, own: Sequence[tuple[Tensor, Tensor]]
) -> Tensor:
    """One row of each window, q (B, H, N, D), over the context (B, H, T, D) and its own window's rows so far."""
    scale = q.shape[-1] ** -0.5
    b, h = q.shape[:2]
    scores = torch.bmm(q.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2)).unflatten(0, (b, h)) * scale
    scores = scores + mask[:, None]
    mine = torch.stack([(q * k).sum(-1) for k, _ in own], -1) * scale  # (B, H, N, j)
    weights = torch.cat([scores, mine], -1).softmax(-1)
    seen, rest = weights.split([scores.shape[-1], len(own)], -1)
    mixed = torch.bmm(seen.flatten(0, 1), values.flatten(0, 1)).unflatten(0, (b, h))
    return mixed + sum(rest[..., j, None] * v for j, (_, v) in enumerate(own))


def filtered(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and token ids (..., TOP_K) of the filtered distribution; logits (..., V) over temperature.

    Unlike ptp_core.sampling, every row may have another temperature. Tests compare the picks of both.
    """
    top, ids = logits.float().topk(TOP_K, -1)
    probs = top.softmax(-1)
    probs = torch.where(probs.cumsum(-1) - probs < TOP_P, probs, torch.zeros(()))
    return probs / probs.sum(-1, keepdim=True), ids


def pick(logits: Tensor, u: Tensor, temperature: Tensor) -> Tensor:
    """The token whose bin holds u, in the order of token ids. logits (..., V); the others (...)."""
    return choose(*filtered(logits / temperature[..., None]), u)


def choose(probs: Tensor, ids: Tensor, u: Tensor) -> Tensor:
    """The same from the distributions that `filtered` gives."""
    ids, order = ids.sort(-1)
    edges = probs.gather(-1, order).cumsum(-1)
    last = torch.where(probs.gather(-1, order) > 0, torch.arange(TOP_K), -1).amax(-1)
    place = torch.minimum((edges <= u[..., None]).sum(-1), last)  # bins that end at or before u, empty ones included
    return ids.gather(-1, place[..., None]).squeeze(-1)
