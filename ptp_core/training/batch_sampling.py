"""Batched sampling from the target: many continuations at once, each from its own noise.

B rows of a batch    T new tokens of each row    K tokens so far, padding on the left included
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..coupling import NoiseAt, coupling_of
from ..coupling.noise_at import Joined
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
    """All on the model's device; the host waits once a step for the tokens, and once more per kind of sampling."""
    width, limit = max(len(r.prompt) for r in requests), max(r.limit for r in requests)
    cache, device = model.new_cache(width + limit), model.device
    padding = torch.tensor([width - len(r.prompt) for r in requests], device=device)
    tokens = torch.tensor([[0] * (width - len(r.prompt)) + r.prompt for r in requests], device=device)
    tapes = [NoiseTape(r.seed) for r in requests]
    forbidden = None if stop or not model.eos_tokens else torch.tensor(sorted(model.eos_tokens), device=device)
    texts: list[list[int]] = [[] for _ in requests]
    active = list(range(len(requests)))  # the rows still in the cache, in its order
    groups = _by_sampling([r.sampling for r in requests], device)
    going = active

    def finished(i: int) -> bool:
        return len(texts[i]) >= requests[i].limit or (stop and bool(texts[i]) and texts[i][-1] in model.eos_tokens)

    for step in range(limit):
        positions, mask = _left_padded(padding, cache.length, tokens.shape[1], model.dtype)
        hidden = model(tokens, positions=positions, mask=mask, cache=cache)[:, -1]
        cache.keep(cache.length + tokens.shape[1])
        picked = _pick(model.logits(hidden), groups, [NoiseAt(tapes[i], [step]) for i in active], forbidden)
        said = picked.tolist()
        for k in going:
            texts[active[k]].append(said[k])
        if report:
            report(len(going))
        going = [k for k in going if not finished(active[k])]
        if not going:
            break
        if len(going) < _SHRINK_AT * len(active):
            rows = torch.tensor(going, device=device)
            cache.select(rows)
            padding, picked = padding[rows], picked[rows]
            active = [active[k] for k in going]
            groups = _by_sampling([requests[i].sampling for i in active], device)
            going = list(range(len(active)))
        tokens = picked[:, None]
    return texts


def _left_padded(padding: Tensor, context: int, rows: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Positions (B, T) and additive mask (B, 1, T, K) of `rows` new tokens behind `context` cached ones."""
    columns = torch.arange(context + rows, device=padding.device)
    new = columns[context:]
    seen = (columns <= new[:, None])[None] & (columns >= padding[:, None])[:, None]  # (B, T, K)
    mask = torch.zeros(seen.shape, dtype=dtype, device=padding.device)
    mask.masked_fill_(~seen, torch.finfo(dtype).min)
    return (new - padding[:, None]).clamp(min=0), mask[:, None]


_Groups = list[tuple[SamplingConfig, Tensor, list[int]]]


def _by_sampling(samplings: Sequence[SamplingConfig], device: torch.device) -> _Groups:
    """Each kind of sampling with the rows that have it."""
    rows: dict[SamplingConfig, list[int]] = {}
    for i, sampling in enumerate(samplings):
        rows.setdefault(sampling, []).append(i)
    return [(sampling, torch.tensor(mine, device=device), mine) for sampling, mine in rows.items()]


def _pick(logits: Tensor, groups: _Groups, noise: Sequence[NoiseAt], forbidden: Tensor | None) -> Tensor:
    """Tokens (B,), one for each row of logits (B, V) and its noise, by its own sampling. Changes the logits."""
    if forbidden is not None:
        logits.index_fill_(1, forbidden, -1e9)
    picked = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    for sampling, rows, mine in groups:
        found = candidates(logits[rows], sampling, full=True)
        columns = coupling_of(sampling).columns(found, Joined([noise[i] for i in mine]))
        picked[rows] = found.tokens.gather(1, columns[:, None]).squeeze(1)
    return picked
