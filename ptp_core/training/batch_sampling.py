"""Batched sampling from the target: many continuations at once, each from its own noise.

On a GPU the engine's seats write (engine/seats.py), where the target is of a kind that it knows. Everywhere else
batches of similar length run to their end: on the CPU a smaller batch costs less, and starting a kernel nothing.

B rows of a batch    T new tokens of each row    K tokens so far, padding on the left included
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..coupling import NoiseAt, coupling_of
from ..coupling.noise_at import Joined
from ..decoding.decode import start_decoding
from ..decoding.known_texts import KnownText, decode_known
from ..decoding.settings import DecodeSettings
from ..engine.many_texts import columns_of_texts
from ..engine.network import obstacle
from ..engine.pen import Pen
from ..engine.seats import Report, Rules, Text
from ..model.attention import KVCache
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig, candidates
from ..trace import DecodeStep

_MAX_CELLS = {"cpu": 48_000}  # tokens of a batch, padding included: bounds the memory of the first call
_MAX_CELLS_ELSEWHERE = 400_000
_CPU_ROWS = 2048  # tokens of prompts that the CPU reads at once
_SHRINK_AT = 0.75  # finished rows leave the cache when fewer than this share are going on
_pens: WeakKeyDictionary[PTPModel, Pen] = WeakKeyDictionary()  # what the engine needs to write, by model
_pens_lock = threading.Lock()


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
    seated: bool | None = None,
) -> list[list[int]]:
    """The continuation of every request, its end-of-text token included, up to batch_size at once.

    stop=False never ends a text before its limit. report(n) hears how many tokens each step, or each look, brought.
    seated: by the engine's seats; None: where the model is not on the CPU and the engine knows its layers. ValueError
    where it cannot.
    """
    order = sorted(range(len(requests)), key=lambda i: (len(requests[i].prompt) + requests[i].limit, i))
    order.reverse()  # longest first: memory runs out at once or never
    if seated is None:
        seated = model.device.type != "cpu" and obstacle(model) is None
    write = _complete_seated if seated else _complete_in_batches
    texts = write(model, [requests[i] for i in order], batch_size, stop, report)
    found = dict(zip(order, texts, strict=True))
    return [found[i] for i in range(len(requests))]


def write_texts(model: PTPModel, requests: Sequence[Request]) -> list[KnownText]:
    """The requests' texts with what picked them, each within the model's context."""
    asked = [replace(r, limit=model.token_limit(r.prompt, r.limit)) for r in requests]
    texts = complete(model, asked, len(asked))
    return [KnownText(r.prompt, found, NoiseTape(r.seed), r.sampling) for r, found in zip(asked, texts, strict=True)]


def decode_at_once(
    model: PTPModel, texts: Sequence[KnownText], method: str, settings: DecodeSettings, at_once: int | None = None
) -> list[list[DecodeStep]]:
    """The steps of decoding each text by a method, counts without times: see decode_known, which raises ValueError.

    A text that rounding parts from the method's own is decoded call by call.
    """
    found = []
    for text, steps in zip(texts, decode_known(model, texts, method, settings, at_once), strict=True):
        if steps is None:
            alone = start_decoding(model, text.ids, method, text.noise, text.sampling, settings)
            steps = [replace(step, seconds=0.0) for step in alone]
        found.append(steps)
    return found


def _complete_seated(
    model: PTPModel, requests: Sequence[Request], batch_size: int, stop: bool, report: Report | None
) -> list[list[int]]:
    """Of requests in order of length, longest first."""
    groups: dict[tuple[SamplingConfig, int], list[int]] = {}
    for i, request in enumerate(requests):
        columns = columns_of_texts(len(request.prompt) + request.limit)
        groups.setdefault((replace(request.sampling, temperature=1.0), columns), []).append(i)
    ends = tuple(sorted(model.eos_tokens))
    found: list[list[int]] = [[] for _ in requests]
    with _pens_lock:
        if model not in _pens:
            _pens[model] = Pen(model)
        pen = _pens[model]
        for (sampling, columns), mine in groups.items():
            rules = Rules(sampling, ends if stop else (), () if stop else ends)
            texts = [_as_text(requests[i]) for i in mine]
            most = min(batch_size, max(most_cells(model) // columns, 1))
            for i, tokens in zip(mine, pen.write(texts, rules, columns, most, report), strict=True):
                found[i] = tokens
    return found


def _as_text(request: Request) -> Text:
    return Text(request.prompt, request.sampling.temperature, request.limit, NoiseTape(request.seed))


def most_cells(model: PTPModel) -> int:
    """Tokens of a batch, filling included: bounds the memory of keys and values, and of the first call."""
    return _MAX_CELLS.get(model.device.type, _MAX_CELLS_ELSEWHERE)


def _complete_in_batches(
    model: PTPModel, requests: Sequence[Request], batch_size: int, stop: bool, report: Report | None
) -> list[list[int]]:
    """Of requests in order of length, longest first."""
    most, found = most_cells(model), list[list[int]]()
    while len(found) < len(requests):
        first = requests[len(found)]
        count = min(batch_size, max(most // (len(first.prompt) + first.limit), 1))
        found += _complete_batch(model, requests[len(found) : len(found) + count], stop, report)
    return found


@torch.inference_mode()
def _complete_batch(model: PTPModel, requests: Sequence[Request], stop: bool, report: Report | None) -> list[list[int]]:
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

    hidden = _read_prompts(model, tokens, padding, cache)
    for step in range(limit):
        if step:
            positions, mask = _left_padded(padding, cache.length, 1, model.dtype)
            hidden = model(tokens, positions=positions, mask=mask, cache=cache)[:, -1]
            cache.keep(cache.length + 1)
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


def _read_prompts(model: PTPModel, tokens: Tensor, padding: Tensor, cache: KVCache) -> Tensor:
    """Last hidden states (B, E) of prompts (B, T), padding on the left; fills the empty cache.

    The CPU reads some at a time. What lies between the layers then fits its caches.
    """
    width = tokens.shape[1]
    most = max(_CPU_ROWS // width, 1) if tokens.device.type == "cpu" else len(tokens)
    states, read = [], []
    for some, pad in zip(tokens.split(most), padding.split(most), strict=True):
        own = model.new_cache(width) if most < len(tokens) else cache
        positions, mask = _left_padded(pad, 0, width, model.dtype)
        states.append(model(some, positions=positions, mask=mask, cache=own)[:, -1])
        own.keep(width)
        read.append(own)
    if most < len(tokens):
        cache.stack(read, width)
    return torch.cat(states)


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
