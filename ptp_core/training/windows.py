"""Training windows: where they start, which u they carry, and what their slots compute.

    B sequences    S tokens of each    N windows per sequence    L slots per window
    V vocabulary   K tokens of the teacher's final distribution

A window starts behind `start` real tokens. Its u's are drawn inside the teacher's bins of the tokens
that follow in the text, so those tokens are what Pick gives. Slot j carries the u of the j-th of
them and predicts that token (o-ptp) or the distribution of the one behind it (c-ptp, independent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.attention import KVCache
from ..model.chain_head import NUM_BEFORE
from ..model.layout import additive
from ..model.ptp_model import PTPModel
from ..sampling import Candidates, SamplingConfig, candidates
from .conversations import Conversation

IGNORE = -100


@dataclass(frozen=True)
class Batch:
    """Windows over B sequences. targets are token ids or IGNORE.

    support (B, N, L, K) and probs hold the teacher's final distribution of each target. temperature (B,) is that of
    each sequence's sampling.
    """

    input_ids: Tensor  # (B, S)
    starts: Tensor  # (B, N)
    u: Tensor  # (B, N, L), what each slot carries
    own_u: Tensor  # (B, N, L), the u of the token that each slot predicts
    targets: Tensor  # (B, N, L)
    support: Tensor  # (B, N, L, K)
    probs: Tensor  # (B, N, L, K)
    temperature: Tensor  # (B,)
    settling: Tensor  # (B, N, E), the target's hidden states that decide the tokens at the starts


@dataclass(frozen=True)
class _Windows:
    """The windows of one conversation, or, with a first dimension B, of several: the fields of Batch."""

    starts: Tensor  # (N,)
    u: Tensor  # (N, L)
    own_u: Tensor  # (N, L)
    targets: Tensor  # (N, L)
    support: Tensor  # (N, L, K)
    probs: Tensor  # (N, L, K)


@dataclass(frozen=True)
class WindowConfig:
    """How windows are drawn: L slots, at most `count` starts per sequence, b ~ Beta(beta, beta) inside a bin.

    focus = 0 draws starts evenly. Even draws spend half of the windows on tokens that every draft has right. A higher
    focus (below 1) draws a start more often if the teacher did not expect its first drafted token. That is the one
    behind the settled token.
    """

    length: int = 4
    count: int = 128
    beta: float = 0.5
    top_k: int = 50
    top_p: float = 0.95
    order: str = "probability"
    focus: float = 0.0


@torch.no_grad()
def draw_windows(
    model: PTPModel, rows: Sequence[Conversation], config: WindowConfig, generator: torch.Generator
) -> tuple[Batch, KVCache]:
    """One teacher pass over the conversations, then windows at random starts of their answers.

    Returns the batch and the cache that holds the real rows. All randomness comes from `generator`.
    """
    assert model.adapter is not None
    input_ids, context, hidden = real_rows(model, rows)
    each = [_windows_of(model, row, hidden[i], config, model.adapter.lead, generator) for i, row in enumerate(rows)]
    drawn = _stacked(each)
    temperature = torch.tensor([row.temperature for row in rows])
    settling = rows_before(hidden, drawn.starts)
    return Batch(input_ids, **vars(drawn), temperature=temperature, settling=settling), context


@torch.no_grad()
def real_rows(model: PTPModel, rows: Sequence[Conversation]) -> tuple[Tensor, KVCache, Tensor]:
    """The target's pass over the conversations: input_ids (B, S), their cache, hidden states (B, S, E)."""
    width = max(len(row.ids) for row in rows)
    input_ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows], device=model.device)
    context = model.new_cache(width)
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = additive(causal, model.device, model.dtype)[None, None]
    hidden = model(input_ids, positions=torch.arange(width), mask=mask, cache=context)
    context.keep(width)
    return input_ids, context, hidden


def rows_before(hidden: Tensor, starts: Tensor) -> Tensor:
    """hidden (B, S, E), starts (B, N) -> (B, N, E): the rows that decide the tokens at the starts."""
    return hidden.gather(1, (starts - 1)[..., None].expand(-1, -1, hidden.shape[-1]))


def _windows_of(
    model: PTPModel, row: Conversation, hidden: Tensor, config: WindowConfig, lead: int, generator: torch.Generator
) -> _Windows:
    """Windows at random starts of one conversation whose hidden states are (S, E)."""
    length, end = config.length, len(row.ids)
    sampling = SamplingConfig(row.temperature, config.top_k, config.top_p, config.order)
    found = candidates(model.logits(hidden[row.p - 1 : end - 1]), sampling)  # row i is for token p + i
    tokens = torch.tensor(row.ids[row.p :], device=model.device)
    drawn, inside = draw_u(found, tokens, config.beta, generator)

    possible = torch.arange(row.p, end - lead)
    chosen = _draw_starts(found, tokens, len(possible), config, generator)
    starts = possible[chosen].to(model.device)
    carried = starts[:, None] - row.p + torch.arange(length, device=model.device)  # (N, L) index of the u's token
    predicted = carried + lead
    last = len(tokens) - 1
    valid = (predicted <= last) & inside[carried.clamp(max=last)].cummin(
        -1
    ).values  # a u outside any bin spoils the rest
    valid &= inside[predicted.clamp(max=last)]
    predicted, carried = predicted.clamp(max=last), carried.clamp(max=last)
    targets = torch.where(valid, tokens[predicted], IGNORE)
    support, probs = (_widen(part, config.top_k) for part in (found.tokens, found.probs))
    return _Windows(starts, drawn[carried], drawn[predicted], targets, support[predicted], probs[predicted])


def _stacked(each: Sequence[_Windows]) -> _Windows:
    """Windows of several conversations; those of short ones are filled up with windows that count nothing."""
    count = max(len(windows.starts) for windows in each)
    fill = {"starts": 1, "targets": IGNORE}  # a window needs a token before it

    def stack(name: str) -> Tensor:
        return torch.stack([_pad_to(getattr(windows, name), count, fill.get(name, 0)) for windows in each])

    return _Windows(**{f.name: stack(f.name) for f in fields(_Windows)})


def _draw_starts(
    found: Candidates, tokens: Tensor, possible: int, config: WindowConfig, generator: torch.Generator
) -> Tensor:
    """At most config.count of `possible` places in a row, sorted, none twice; place i is the i-th token's."""
    count = min(config.count, possible)
    if not config.focus or count == 0:
        return torch.randperm(possible, generator=generator)[:count].sort().values
    expected = (found.probs * (found.tokens == tokens[:, None])).sum(-1).cpu()  # the teacher's P of each token said
    surprise = torch.cat([1 - expected[1:], torch.zeros(1)])[:possible].clamp(min=0)
    weights = 1 - config.focus + config.focus * surprise
    return torch.multinomial(weights, count, generator=generator).sort().values


def _widen(part: Tensor, width: int) -> Tensor:
    """(R, K) -> (R, width): a greedy row has one token, and rows of a batch must stack. Added columns hold
    token 0 with probability 0; without top-k every row is as wide as the vocabulary already."""
    return F.pad(part, (0, max(width - part.shape[1], 0)))


def draw_u(found: Candidates, tokens: Tensor, beta: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """u (R,) inside the bin of each row's token, b ~ Beta(beta, beta) across it, and whether there is a bin.

    Rows whose token the filters removed get u = 0 and False.
    """
    match = (found.tokens == tokens[:, None]) & (found.probs > 0)
    inside = match.any(-1)
    column = match.int().argmax(-1, keepdim=True)
    left, right = found.left.gather(1, column).squeeze(1), found.right.gather(1, column).squeeze(1)
    place = sample_beta(beta, len(tokens), generator).to(left.device)
    u = left + place * (right - left)
    below = torch.nextafter(right, torch.zeros_like(right))
    return torch.where(inside, torch.minimum(u, below).clamp(min=0), torch.zeros_like(u)), inside


def sample_beta(beta: float, count: int, generator: torch.Generator) -> Tensor:
    """(count,) draws of Beta(beta, beta) from the generator; beta 1 is uniform. Johnk's method for beta <= 1."""
    if beta == 1:
        return torch.rand(count, generator=generator)
    if not 0 < beta < 1:
        raise ValueError(f"beta must lie in (0, 1], got {beta!r}.")
    out = torch.empty(0)
    while len(out) < count:
        x, y = torch.rand(2, 2 * count + 16, generator=generator) ** (1 / beta)
        total = x + y
        out = torch.cat([out, (x / total)[(total <= 1) & (total > 0)]])
    return out[:count]


def window_hidden(model: PTPModel, batch: Batch, context: KVCache) -> Tensor:
    """Last hidden states (B, N, L, E) of all slots; differentiable in the adapter."""
    assert model.adapter is not None
    config = model.adapter
    length = batch.u.shape[-1]
    temperature = batch.temperature.to(model.device)[:, None, None].expand_as(batch.u).flatten()
    anchors = batch.input_ids.gather(1, batch.starts - 1).flatten()
    firsts = torch.arange(0, batch.u.numel(), length)
    slots = model.embed_slots(batch.u.flatten(), temperature, firsts, anchors).view(*batch.u.shape, -1)
    offsets = torch.arange(length, device=model.device)
    positions = (batch.starts[..., None] + config.lead + config.position_shift + offsets).flatten(1)
    columns = torch.arange(context.length, device=model.device)
    seen = columns < batch.starts[..., None, None].expand(-1, -1, length, -1).flatten(1, 2)  # (B, N L, S)
    mask = additive(seen, model.device, model.dtype)[:, None]
    return model.forward_windows(slots, positions=positions, mask=mask, context=context)


def chained_hidden(model: PTPModel, batch: Batch, hidden: Tensor) -> Tensor:
    """Chained hidden states (B, N, L - s, E), float32, of the slots behind the s settled ones.

    Each slot is told the text's own tokens before its own. hidden (B, N, L, E) is window_hidden's.
    """
    config = model.require_adapter()
    behind = hidden[:, :, config.num_settled :]
    device = batch.starts.device
    nearest = batch.starts[..., None] + torch.arange(behind.shape[2], device=device)  # (B, N, L - s)
    places = (nearest[..., None] + torch.arange(1 - NUM_BEFORE, 1, device=device)).flatten(1)
    before = batch.input_ids.gather(1, places.clamp(0, batch.input_ids.shape[1] - 1))
    settling = batch.settling[:, :, None].expand_as(behind)
    rows = model.chained(behind.flatten(0, 2), before.view(-1, NUM_BEFORE), settling.flatten(0, 2))
    return rows.view(behind.shape)


def _pad_to(tensor: Tensor, count: int, value: int) -> Tensor:
    if len(tensor) == count:
        return tensor
    filler = torch.full((count - len(tensor), *tensor.shape[1:]), value, dtype=tensor.dtype, device=tensor.device)
    return torch.cat([tensor, filler])
