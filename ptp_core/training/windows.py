"""Training windows: where they start, which u they carry, and what their slots compute.

    B sequences    S tokens of each    N windows per sequence    L slots per window
    V vocabulary   K tokens of the teacher's final distribution

A window starts behind `start` real tokens. Its u's are drawn inside the teacher's bins of the tokens
that follow in the text, so those tokens are what Pick gives. Slot j carries the u of the j-th of
them and predicts that token (o-ptp) or the distribution of the one behind it (c-ptp, independent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.attention import KVCache
from ..model.chain_head import NUM_BEFORE
from ..model.ptp_model import PTPModel
from ..model.text_windows import read_texts, rows_before, slot_windows
from ..sampling import Candidates, SamplingConfig, candidates
from .conversations import Conversation

IGNORE = -100
_MOST_ROWS, _MOST_ROWS_ELSEWHERE = {"cpu": 512}, 2048  # of logits at once: bounds the memory


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
    drawn = _windows(_answers(model, rows, hidden, config), rows, config, model.adapter.lead, generator)
    temperature = torch.tensor([row.temperature for row in rows])
    settling = rows_before(hidden, drawn["starts"])
    return Batch(input_ids, **drawn, temperature=temperature, settling=settling), context


@torch.no_grad()
def real_rows(model: PTPModel, rows: Sequence[Conversation]) -> tuple[Tensor, KVCache, Tensor]:
    """The target's pass over the conversations: input_ids (B, S), their cache, hidden states (B, S, E)."""
    return read_texts(model, [row.ids for row in rows])


@dataclass(frozen=True)
class _Answers:
    """The R tokens of all answers, one conversation's behind the other's, and what the teacher says of each."""

    tokens: Tensor  # (R,)
    inside: Tensor  # (R,) bool: whether the teacher would say it
    left: Tensor  # (R,) its bin, where there is one
    right: Tensor  # (R,)
    expected: Tensor  # (R,) its probability
    support: Tensor  # (R, K)
    probs: Tensor  # (R, K)


def _answers(model: PTPModel, rows: Sequence[Conversation], hidden: Tensor, config: WindowConfig) -> _Answers:
    """From hidden states (B, S, E). Logits are made for many tokens at once, of all conversations of a temperature."""
    width, device = hidden.shape[1], hidden.device
    most = _MOST_ROWS.get(device.type, _MOST_ROWS_ELSEWHERE)
    places: dict[float, list[int]] = {}  # by temperature, of the rows that decide the tokens: row i decides token i + 1
    said: dict[float, list[int]] = {}
    for i, row in enumerate(rows):
        places.setdefault(row.temperature, []).extend(range(i * width + row.p - 1, i * width + len(row.ids) - 1))
        said.setdefault(row.temperature, []).extend(row.ids[row.p :])
    parts, flat = [], hidden.flatten(0, 1)
    for temperature, mine in places.items():
        sampling = SamplingConfig(temperature, config.top_k, config.top_p, config.order)
        where, tokens = torch.tensor([mine, said[temperature]], device=device)
        for rows_now, tokens_now in zip(where.split(most), tokens.split(most), strict=True):
            found = candidates(model.logits(flat[rows_now]), sampling)
            match, *bins = _bins(found, tokens_now)
            expected = (found.probs * match).sum(-1)
            parts.append((tokens_now, *bins, expected, found.tokens, found.probs))
    most_candidates = max(part[-1].shape[1] for part in parts)
    whole = []
    for each in zip(*parts, strict=True):
        wide = [_widen(part, max(config.top_k, most_candidates)) if part.ndim == 2 else part for part in each]
        whole.append(torch.cat(wide) if len(wide) > 1 else wide[0])
    if len(places) > 1:  # back into the conversations' order
        order = torch.tensor([place for mine in places.values() for place in mine]).argsort().to(device)
        whole = [part[order] for part in whole]
    return _Answers(*whole)


def _bins(found: Candidates, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each row's token (R,): which candidate (R, K) it is, whether it has a bin, and the bin's edges."""
    match = (found.tokens == tokens[:, None]) & (found.probs > 0)
    column = match.int().argmax(-1, keepdim=True)
    left, right = found.left.gather(1, column).squeeze(1), found.right.gather(1, column).squeeze(1)
    return match, match.any(-1), left, right


def _windows(
    answers: _Answers, rows: Sequence[Conversation], config: WindowConfig, lead: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """The fields of Batch that windows at random starts have. Conversations with fewer starts are filled up with
    windows that count nothing."""
    lengths = [len(row.ids) - row.p for row in rows]
    firsts = [sum(lengths[:i]) for i in range(len(rows))]  # of each answer among all tokens
    expected = answers.expected.cpu() if config.focus else None
    across, chosen = [], []
    for first, length in zip(firsts, lengths, strict=True):
        across.append(sample_beta(config.beta, length, generator))
        mine = None if expected is None else expected[first : first + length]
        chosen.append(_draw_starts(mine, max(length - lead, 0), config, generator))
    count, device = max(len(each) for each in chosen), answers.tokens.device
    filled = torch.stack([F.pad(each, (0, count - len(each)), value=-1) for each in chosen])  # (B, N)
    told = torch.tensor([[row.p for row in rows], firsts, lengths])[..., None]
    filled, prompts, first, length = torch.cat([filled[None], told.expand(-1, -1, count)]).to(device)
    u = _inside_bins(answers.inside, answers.left, answers.right, torch.cat(across).to(device))

    there = filled >= 0
    carried = filled.clamp(min=0)[..., None] + torch.arange(config.length, device=device)  # (B, N, L), in the answer
    last = (length - 1)[..., None]
    predicted = carried + lead
    valid = (predicted <= last) & there[..., None]
    carried = (first[..., None] + torch.minimum(carried, last)).clamp(min=0)
    predicted = (first[..., None] + torch.minimum(predicted, last)).clamp(min=0)
    # a u outside any bin spoils the rest
    valid = valid & answers.inside[carried].cummin(-1).values & answers.inside[predicted]
    whole = there[..., None]
    return {
        "starts": torch.where(there, prompts + filled, 1),  # a window needs a token before it
        "u": u[carried] * whole,
        "own_u": u[predicted] * whole,
        "targets": torch.where(valid, answers.tokens[predicted], IGNORE),
        "support": answers.support[predicted] * whole[..., None],
        "probs": answers.probs[predicted] * whole[..., None],
    }


def _inside_bins(inside: Tensor, left: Tensor, right: Tensor, across: Tensor) -> Tensor:
    """u (R,) at `across` of each token's bin; 0 where there is none."""
    u = left + across * (right - left)
    below = torch.nextafter(right, torch.zeros_like(right))
    return torch.where(inside, torch.minimum(u, below).clamp(min=0), torch.zeros_like(u))


def _draw_starts(expected: Tensor | None, possible: int, config: WindowConfig, generator: torch.Generator) -> Tensor:
    """At most config.count of `possible` places in a row, sorted, none twice; place i is the i-th token's.

    expected (R,): the teacher's probability of each token, for a focus.
    """
    count = min(config.count, possible)
    if expected is None or count == 0:
        return torch.randperm(possible, generator=generator)[:count].sort().values
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
    _, inside, left, right = _bins(found, tokens)
    return _inside_bins(inside, left, right, sample_beta(beta, len(tokens), generator).to(left.device)), inside


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
    return slot_windows(model, batch.input_ids, batch.starts, batch.u, batch.temperature, context)


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
