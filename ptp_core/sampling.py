"""The final sampling distribution and its inverse CDF: t = Pick(u, P).

This project has one filter and one CDF. Decoding, training, analysis and every picture call `candidates`.
It enumerates the tokens of the distribution in CDF order.

    R rows of logits    V vocabulary    K enumerated tokens, in CDF order
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from .refusals import quoted

ORDERS = ("probability", "token_id")
FILTERS = ("standard", "reference")
COUPLINGS = ("inverse_cdf", "gumbel")  # maps from noise to tokens: a file each in coupling/
_GREEDY_BELOW = 1e-30  # what float32 cannot divide by
_SHORTLIST = 1024  # without top-k: so many of the most probable tokens are tried before a full sort


@dataclass(frozen=True)
class SamplingConfig:
    """How logits become the distribution from which u picks a token.

    Temperature 0 is greedy. top_k 0 and top_p 1 switch these filters off. The CDF runs through the vocabulary in
    `order`. filter="reference" takes top-p on probabilities that were not renormalised after top-k. The paper's
    reference decoder does so. `coupling` is the map from noise to tokens: "inverse_cdf" (one u per position) or
    "gumbel" (a clock per token; `order` does not matter then).
    """

    temperature: float = 0.7
    top_k: int = 50
    top_p: float = 0.95
    order: str = "probability"
    filter: str = "standard"
    coupling: str = "inverse_cdf"

    def __post_init__(self) -> None:
        if not _is_number(self.temperature) or not 0 <= self.temperature <= 100:
            raise ValueError(f"The temperature must lie between 0 and 100, got {quoted(self.temperature)}.")
        if not _is_number(self.top_k) or self.top_k != int(self.top_k) or self.top_k < 0:
            raise ValueError(f"top_k must be a whole number, 0 (off) or more, got {quoted(self.top_k)}.")
        if not _is_number(self.top_p) or not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], 1 meaning off, got {quoted(self.top_p)}.")
        if self.order not in ORDERS:
            raise ValueError(f"The CDF order is one of {', '.join(ORDERS)}, got {quoted(self.order)}.")
        if self.filter not in FILTERS:
            raise ValueError(f"The filter is one of {', '.join(FILTERS)}, got {quoted(self.filter)}.")
        if self.coupling not in COUPLINGS:
            raise ValueError(f"The coupling is one of {', '.join(COUPLINGS)}, got {quoted(self.coupling)}.")
        cold = self.temperature < _GREEDY_BELOW
        object.__setattr__(self, "temperature", 0.0 if cold else float(self.temperature))
        object.__setattr__(self, "top_k", int(self.top_k))
        object.__setattr__(self, "top_p", float(self.top_p))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Candidates:
    """The distribution of R positions, its tokens in CDF order.

    tokens: (R, K) int64. probs: (R, K) float32, 0 where a filter removed the token. right: (R, K) float32, the right
    edge of each token's bin. `complete` is False when K is a shortlist that misses part of the mass.
    """

    tokens: Tensor
    probs: Tensor
    right: Tensor
    complete: bool = True

    @property
    def left(self) -> Tensor:  # (R, K)
        return torch.cat([torch.zeros_like(self.right[:, :1]), self.right[:, :-1]], dim=-1)

    def find(self, u: Tensor) -> Tensor:
        """The column of min{j : F_j > u} for each row's u (R,). It is K where a shortlist ends before u."""
        return torch.searchsorted(self.right, u[:, None].contiguous(), right=True).squeeze(-1)

    def row(self, i: int) -> Candidates:
        """Position i alone."""
        return self.part(i, i + 1)

    def part(self, start: int, stop: int) -> Candidates:
        """The positions start..stop."""
        return Candidates(self.tokens[start:stop], self.probs[start:stop], self.right[start:stop], self.complete)

    def cpu(self) -> Candidates:
        """The same in the host's memory."""
        tokens, probs, right = read_back(self.tokens, self.probs, self.right)
        return Candidates(tokens, probs, right, self.complete)

    def listed(self, most: int) -> list[list[tuple[int, float, float, float]]]:
        """For each row its `most` most probable tokens, in CDF order: (token, probability, left, right)."""
        most = min(most, self.tokens.shape[1])
        columns = self.probs.topk(most, dim=-1).indices.sort(dim=-1).values
        parts = [part.gather(1, columns).tolist() for part in (self.tokens, self.probs, self.left, self.right)]
        return [[row for row in zip(*rows, strict=True) if row[1] > 0] for rows in zip(*parts, strict=True)]

    def dense(self, vocab_size: int) -> Tensor:  # (R, V)
        return self.probs.new_zeros(len(self.probs), vocab_size).scatter_(1, self.tokens, self.probs)


def read_back(*tensors: Tensor) -> list[Tensor]:
    """Tensors of one shape in the host's memory, by one copy from a GPU: each copy makes the host wait. They travel as
    float64, which holds float32 and token ids exactly."""
    if tensors[0].device.type in ("cpu", "mps"):  # Apple's GPUs have no float64
        return [tensor.cpu() for tensor in tensors]
    whole = torch.stack([tensor.double() for tensor in tensors]).cpu()
    return [part.to(tensor.dtype) for part, tensor in zip(whole, tensors, strict=True)]


def _sorted(values: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    """The `depth` largest values of each row and their indices, descending. In a tie the lower index comes first."""
    if values.device.type not in ("cpu", "mps"):
        return _sorted_by_keys(values, depth)
    if depth < values.shape[-1]:
        top, index = values.topk(depth + 1, dim=-1, sorted=True)
        if not bool((top[:, depth - 1] == top[:, depth]).any()):  # else the cut would fall inside a tie
            index, by_id = index[:, :depth].sort(dim=-1)
            top, by_value = top.gather(1, by_id).sort(dim=-1, descending=True, stable=True)
            return top, index.gather(1, by_value)
    top, index = values.sort(dim=-1, descending=True, stable=True)
    return top[:, :depth], index[:, :depth]


def _sorted_by_keys(values: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    """_sorted without a look at the values, for which the host would have to wait. A key holds a float32's bits, as
    a whole number that orders as the floats do, and then the index, lower ones larger."""
    size = values.shape[-1]
    room = 1 << (size - 1).bit_length()
    bits = (values + 0.0).view(torch.int32).long()  # adding 0 makes -0.0 the 0.0 that it equals
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    keys = ordered * room + (room - 1 - torch.arange(size, device=values.device))
    best = keys.topk(depth, dim=-1).values
    index = room - 1 - best.remainder(room)
    return values.gather(-1, index), index


def _right_edges(probs: Tensor) -> Tensor:
    """The CDF of probs (R, K) in the given order. It is exactly 1 from the last token with probability on."""
    edges = _running_sum(probs).clamp_(max=1.0)
    if edges.device.type != "cpu":
        edges = edges.cummax(-1).values  # a parallel scan's rounding need not be monotone
    columns = torch.arange(probs.shape[-1], device=probs.device)
    last = torch.where(probs > 0, columns, -1).amax(-1, keepdim=True)
    return torch.where(columns >= last, torch.ones_like(edges), edges)


def _running_sum(probs: Tensor) -> Tensor:
    """Sums (R, K) of the first 1, 2, ... columns, added up in float64 and then rounded.

    Kernels add in different orders. In float32 the sums would hang on the device and on how many rows there are.
    """
    exact = torch.float32 if probs.device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    return probs.cumsum(-1, dtype=exact).float()


def _in_order(tokens: Tensor, probs: Tensor, order: str) -> Candidates:
    if order == "token_id":
        tokens, by_id = tokens.sort(dim=-1)
        probs = probs.gather(1, by_id)
    return Candidates(tokens, probs, _right_edges(probs))


def candidates(logits: Tensor, sampling: SamplingConfig, full: bool = True) -> Candidates:
    """The final distribution of each row of logits (R, V), its tokens in CDF order.

    full=False may stop at a shortlist of the most probable tokens; `complete` then is False. Bins inside the
    shortlist are the same either way. Raises ValueError on logits that are not finite.
    """
    logits = logits.float()
    if not bool(torch.isfinite(logits.amax(-1)).all()):
        raise ValueError("The model returned logits that are not finite.")
    found, sure = _enumerated(logits, sampling, full, _SHORTLIST)
    if sure is not None and not bool(sure.all()):
        found, _ = _enumerated(logits, sampling, full, logits.shape[-1])
    return found


def candidates_unseen(logits: Tensor, sampling: SamplingConfig, full: bool = True) -> tuple[Candidates, Tensor]:
    """As candidates, without a look at the values, for which the host would have to wait; and which rows (R,) are sure.

    Other rows hold numbers that are not finite, or need more tokens than the shortlist has: ask candidates.
    """
    logits = logits.float()
    found, sure = _enumerated(logits, sampling, full, _SHORTLIST)
    finite = torch.isfinite(logits.amax(-1))
    return found, finite if sure is None else finite & sure


def candidates_by_row(logits: Tensor, sampling: SamplingConfig, temperatures: Tensor) -> tuple[Candidates, Tensor]:
    """As candidates, each row at its own temperature (R,), without a look at the values; and which rows are finite."""
    found, _ = _enumerated(logits.float(), sampling, True, logits.shape[-1], temperatures[:, None])
    return found, torch.isfinite(logits.amax(-1))


def _enumerated(
    logits: Tensor, sampling: SamplingConfig, full: bool, shortlist: int, temperatures: Tensor | None = None
) -> tuple[Candidates, Tensor | None]:
    """The candidates of float32 logits; and, where only top-p filters, whether the shortlist reaches it (R,).

    temperatures (R, 1) take the place of the sampling's.
    """
    vocab = logits.shape[-1]
    sure = None
    temperature = sampling.temperature if temperatures is None else temperatures
    if temperatures is None and temperature == 0:
        top = logits.amax(-1, keepdim=True)
        columns = torch.arange(vocab, device=logits.device)
        token = torch.where(logits == top, columns, vocab).amin(-1, keepdim=True)
        return Candidates(token, torch.ones_like(top), torch.ones_like(top)), None
    if sampling.top_k == 0 and sampling.top_p == 1:
        return _unfiltered(at_temperature(logits, temperature), sampling.order, full), None
    if sampling.top_k and sampling.filter == "standard":  # renormalised, so the rest of the vocabulary does not matter
        largest, tokens = _sorted(logits, min(sampling.top_k, vocab))
        ranked = at_temperature(largest, temperature)
    else:
        probs = at_temperature(logits, temperature)
        depth = min(sampling.top_k or shortlist, vocab)
        ranked, tokens = _sorted(probs, depth)
        if sampling.top_k == 0 and depth < vocab:
            sure = ranked.sum(-1) >= sampling.top_p
    if sampling.top_p < 1:
        before = torch.cat([torch.zeros_like(ranked[:, :1]), _running_sum(ranked)[:, :-1]], dim=-1)
        before[:, 0] = -1.0  # the first token stays, however small top-p is
        ranked = torch.where(before < sampling.top_p, ranked, 0.0)
    return _in_order(tokens, ranked / ranked.sum(-1, keepdim=True), sampling.order), sure


def at_temperature(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Probabilities (..., V) before any filter. At temperature 0 the first maximum has probability 1.

    temperature may be a tensor that broadcasts against the logits.
    """
    if isinstance(temperature, Tensor):
        cold = temperature == 0
        return torch.where(cold, at_temperature(logits, 0), _tempered(logits, temperature.masked_fill(cold, 1)))
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    return _tempered(logits, temperature)


def _tempered(logits: Tensor, temperature: float | Tensor) -> Tensor:
    return ((logits - logits.amax(-1, keepdim=True)) / temperature).softmax(-1)


def _unfiltered(probs: Tensor, order: str, full: bool) -> Candidates:
    """The whole vocabulary (R, V) in CDF order, or a shortlist in order of probability."""
    if order == "token_id":
        tokens = torch.arange(probs.shape[-1], device=probs.device).expand_as(probs)
        return Candidates(tokens, probs, _right_edges(probs))
    if not full and probs.shape[-1] > _SHORTLIST:
        ranked, tokens = _sorted(probs, _SHORTLIST)
        return Candidates(tokens, ranked, _running_sum(ranked).clamp_(max=1.0), complete=False)
    ranked, tokens = _sorted(probs, probs.shape[-1])
    return Candidates(tokens, ranked, _right_edges(ranked))


def likeliest(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row of logits (R, V), and its probability at temperature 1."""
    top, best = (logits - logits.logsumexp(-1, keepdim=True)).max(-1)
    return best, top.exp()


_AS_TRAINED = (1.0, 0, 1.0)  # slots' odds: at temperature 1 and unfiltered


def slot_distribution_unseen(logits: Tensor, order: str) -> Candidates:
    """The likeliest tokens of the distributions that slots' logits (R, V) stand for, without a look at the values."""
    return candidates_unseen(logits, SamplingConfig(*_AS_TRAINED, order), full=False)[0]


def slot_distribution(logits: Tensor, order: str, full: bool = False) -> Candidates:
    """The distributions that slots' logits (R, V) stand for: as trained, at temperature 1 and unfiltered."""
    return candidates(logits, SamplingConfig(*_AS_TRAINED, order), full=full)


def warp(logits: Tensor, sampling: SamplingConfig) -> Tensor:
    """The final sampling distribution: logits (..., V) -> probabilities (..., V), float32, sum 1."""
    rows = logits.reshape(-1, logits.shape[-1])
    return candidates(rows, sampling).dense(rows.shape[-1]).reshape(logits.shape)


def order_by(probs: Tensor, order: str) -> Candidates:
    """Probabilities (R, V) as candidates in CDF order; raises ValueError for an unknown order."""
    SamplingConfig(order=order)  # refuses an unknown one
    return _unfiltered(probs.float(), order, full=True)


def pick(probs: Tensor, u: Tensor | float, order: str = "probability") -> Tensor:
    """Pick(u, P) = min{j : F_j > u}: probs (..., V), u (...) in [0, 1) -> tokens (...), int64.

    Raises ValueError if a u lies outside [0, 1).
    """
    rows = order_by(probs.reshape(-1, probs.shape[-1]), order)
    u = torch.as_tensor(u, dtype=torch.float32, device=probs.device).expand(probs.shape[:-1]).reshape(-1)
    if not bool(((u >= 0) & (u < 1)).all()):
        raise ValueError("Every u must lie in [0, 1).")
    return rows.tokens.gather(1, rows.find(u)[:, None]).reshape(probs.shape[:-1])


def bin_edges(probs: Tensor, tokens: Tensor | int, order: str = "probability") -> tuple[Tensor, Tensor]:
    """The interval [left, right) of u that picks each token: probs (..., V), tokens (...) -> (...), (...)."""
    rows = order_by(probs.reshape(-1, probs.shape[-1]), order)
    tokens = torch.as_tensor(tokens, device=probs.device).expand(probs.shape[:-1]).reshape(-1)
    column = (rows.tokens == tokens[:, None]).int().argmax(-1, keepdim=True)
    left, right = rows.left.gather(1, column), rows.right.gather(1, column)
    return left.reshape(probs.shape[:-1]), right.reshape(probs.shape[:-1])
