"""Batched sampling from the target: many continuations at once, each from its own noise.

B rows of a batch    T new tokens of each row    K tokens so far, padding on the left included
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig, candidates

_MAX_CELLS = {"cpu": 48_000}  # tokens of a batch, padding included: bounds the memory of the first call
_MAX_CELLS_ELSEWHERE = 400_000
_SHRINK_AT = 0.75  # finished rows leave the cache when fewer than this share are going on


@dataclass(frozen=True)
class Request:
    """A prompt, how to continue it, at most how far, and the seed of its noise tape."""

    prompt: list[int]
    sampling: SamplingConfig
    limit: int
    seed: int


def complete(
    model: PTPModel,
    requests: Sequence[Request],
    batch_size: int,
    stop: bool = True,
    report: Callable[[int], None] | None = None,
) -> list[list[int]]:
    """The continuation of every request, its end-of-text token included, in batches of similar length.

    stop=False never ends a text before its limit. report(n) hears how many tokens each step brought.
    """
    order = sorted(range(len(requests)), key=lambda i: (len(requests[i].prompt) + requests[i].limit, i))
    found: list[list[int]] = [[] for _ in requests]
    most = _MAX_CELLS.get(model.device.type, _MAX_CELLS_ELSEWHERE)
    while order:
        chosen = [order.pop()]  # longest first: memory runs out at once or never
        width = len(requests[chosen[0]].prompt) + requests[chosen[0]].limit
        while order and len(chosen) < batch_size and width * (len(chosen) + 1) <= most:
            chosen.append(order.pop())
        texts = _complete_batch(model, [requests[i] for i in chosen], stop, report)
        for i, tokens in zip(chosen, texts, strict=True):
            found[i] = tokens
    return found


@torch.inference_mode()
def _complete_batch(
    model: PTPModel, requests: Sequence[Request], stop: bool, report: Callable[[int], None] | None
) -> list[list[int]]:
    width, limit = max(len(r.prompt) for r in requests), max(r.limit for r in requests)
    cache = model.new_cache(width + limit)
    padding = torch.tensor([width - len(r.prompt) for r in requests])
    tokens = torch.tensor([[0] * (width - len(r.prompt)) + r.prompt for r in requests])
    tapes = [NoiseTape(r.seed) for r in requests]
    texts: list[list[int]] = [[] for _ in requests]
    active = list(range(len(requests)))  # the rows still in the cache, in its order
    going = active

    def finished(i: int) -> bool:
        return len(texts[i]) >= requests[i].limit or (stop and bool(texts[i]) and texts[i][-1] in model.eos_tokens)

    for step in range(limit):
        positions, mask = _left_padded(padding, cache.length, tokens.shape[1], model.dtype)
        hidden = model(tokens.to(model.device), positions=positions, mask=mask.to(model.device), cache=cache)[:, -1]
        cache.keep(cache.length + tokens.shape[1])
        u = [tapes[i][step] for i in active]
        picked = _pick(
            model.logits(hidden), [requests[i].sampling for i in active], u, () if stop else model.eos_tokens
        )
        for k in going:
            texts[active[k]].append(picked[k])
        if report:
            report(len(going))
        going = [k for k in going if not finished(active[k])]
        if not going:
            break
        if len(going) < _SHRINK_AT * len(active):
            rows = torch.tensor(going)
            cache.select(rows.to(model.device))
            padding, picked, active = padding[rows], [picked[k] for k in going], [active[k] for k in going]
            going = list(range(len(active)))
        tokens = torch.tensor(picked)[:, None]
    return texts


def _left_padded(padding: Tensor, context: int, rows: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Positions (B, T) and additive mask (B, 1, T, K) of `rows` new tokens behind `context` cached ones."""
    columns = torch.arange(context + rows)
    new = columns[context:]
    seen = (columns <= new[:, None])[None] & (columns >= padding[:, None])[:, None]  # (B, T, K)
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)
    return (new - padding[:, None]).clamp(min=0), mask[:, None]


def _pick(
    logits: Tensor, samplings: Sequence[SamplingConfig], u: Sequence[float], forbidden: Sequence[int] | frozenset[int]
) -> list[int]:
    """One token per row of logits (B, V), each by its own sampling."""
    if forbidden:
        logits[:, list(forbidden)] = -1e9
    picked = [0] * len(samplings)
    for sampling in set(samplings):
        rows = [i for i, s in enumerate(samplings) if s == sampling]
        found = candidates(logits[rows], sampling, full=True)
        column = found.find(torch.tensor([u[i] for i in rows], device=logits.device))
        for i, token in zip(rows, found.tokens.gather(1, column[:, None]).squeeze(1).tolist(), strict=True):
            picked[i] = token
    return picked
