"""Decoding of texts that are known already, many at once. Where tokens per call and acceptance count, and no time does.

No draft changes a text, so texts can be written first, many at once. A pass over many texts then gives what decoding
would ask of its calls. That is the target's pick behind every token, and the drafts of a branch that begins there.
Each run goes on as ever, by its own drafter and plan, and its calls look their answers up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..coupling.noise_at import Joined, noise_from
from ..methods import BRANCHES, NONE, TABLE, TURNS
from ..model.attention import KVCache
from ..model.ptp_model import PTPModel
from ..model.text_windows import read_texts, rows_before, slot_windows
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from ..trace import DecodeStep, Draft
from ..verify import verify
from .calls import Picked, Reply, Spec, pick
from .drafters import DRAFTERS, drive
from .session import Session
from .settings import DecodeSettings
from .slots import UNTOLD, Answer, ChainStart, Slots, read_chains, read_slots
from .stopwatch import Laps
from .threads import fixed_threads

_AT_ONCE, _AT_ONCE_ELSEWHERE = {"cpu": 1}, 16  # texts of a pass
_MOST_WINDOWS = 512  # whose drafts are read at once: bounds the memory of the logits

Drawn = Sequence[tuple[int, float, float]]  # (token, probability, margin) of a branch's drafts


@dataclass(frozen=True)
class KnownText:
    """A prompt, the text behind it, and the noise and sampling that picked it."""

    ids: Sequence[int]
    tokens: Sequence[int]
    noise: NoiseTape
    sampling: SamplingConfig


def can_look_up(method: str, settings: DecodeSettings) -> bool:
    """Whether a pass over the text says all that decoding by this method asks: no times, and no drafts but slots'."""
    by_slots = TABLE[method].drafts in (TURNS, BRANCHES)
    timed = TABLE[method].drafts == BRANCHES and settings.is_auto
    return (by_slots or TABLE[method].drafts == NONE) and not timed and not settings.details


def decode_known(
    model: PTPModel, texts: Sequence[KnownText], method: str, settings: DecodeSettings, at_once: int | None = None
) -> Iterator[list[DecodeStep] | None]:
    """The steps of decoding each text, with 0 seconds each; None where the target would pick another text.

    That happens where rounding decides, as calls of another shape round differently. target_tokens behind a wrong
    draft are the text's own. at_once: texts of a pass. ValueError where can_look_up says no, where a text ends too
    early, and with the fast CPU kernels.
    """
    if not can_look_up(method, settings):
        raise ValueError(f"{method} with these settings is decoded call by call.")
    if model.is_fast:
        raise ValueError("A pass over texts needs a model without the fast CPU kernels: load it with quick=False.")
    for text in texts:
        whole = len(text.tokens) == model.token_limit(text.ids, settings.max_new_tokens)
        if not text.tokens or not (whole or text.tokens[-1] in model.eos_tokens):
            raise ValueError("A known text must reach its end or the most new tokens.")
    several = at_once or _AT_ONCE.get(model.device.type, _AT_ONCE_ELSEWHERE)
    for start in range(0, len(texts), several):
        yield from _decode_some(model, texts[start : start + several], method, settings)


def _decode_some(
    model: PTPModel, texts: Sequence[KnownText], method: str, settings: DecodeSettings
) -> list[list[DecodeStep] | None]:
    drafters = [DRAFTERS[method](model, settings, text.sampling) for text in texts]
    rule, depth = drafters[0].slots, drafters[0].max_drafts
    slots = [] if rule is None else [Slots(model, text.noise, text.sampling, rule) for text in texts]
    calls = _look_up(model, texts, slots, depth)
    found: list[list[DecodeStep] | None] = []
    for text, drafter, mine in zip(texts, drafters, calls, strict=True):
        if mine.picked.tokens != list(text.tokens):
            found.append(None)
            continue
        session = Session(
            model, text.ids, text.noise, text.sampling, settings, drafter.max_drafts, drafter.slots, calls=mine
        )
        with fixed_threads():  # nothing is to be learnt from the times of these calls
            found.append([replace(step, seconds=0.0) for step in drive(session, drafter)])
    return found


class _KnownCalls:
    """The calls of a run over a known text: all answers are there.

    picked  the target's picks of every token of the text
    drawn   the drafts of a branch that settles token k, for every k but the last
    """

    def __init__(self, picked: Picked, tokens: Sequence[int], drawn: Sequence[Drawn], max_rows: int) -> None:
        self.cache, self.picked, self._tokens, self._drawn = KVCache(0, max_rows), picked, tokens, drawn

    def __call__(self, pending: Sequence[int], drafts: Sequence[Draft], spec: Spec, first: int, laps: Laps) -> Reply:
        """first: the generated position that the first target row decides."""
        count = len(drafts) + 1
        targets = [*self._tokens[first : first + count]]
        targets += [targets[-1]] * (count - len(targets))  # behind the text's end nothing is compared
        place = first + verify([d.token for d in drafts], targets).num_accepted
        drawn = self._drawn[place] if place < len(self._drawn) else ()
        ends = [sum(length for _, length in spec[: i + 1]) for i in range(len(spec))]
        rows = [range(end - length, end) for end, (_, length) in zip(ends, spec, strict=True)]
        nothing = torch.empty(count, 0)  # only pictures, and drafters that propose, look at states
        answer = Answer(first, spec, rows, nothing, [pending[-1], *(d.token for d in drafts)], targets, nothing)
        return Reply(self.picked.part(first, first + count), answer, drawn)


@torch.inference_mode()
def _look_up(
    model: PTPModel, texts: Sequence[KnownText], slots: Sequence[Slots], depth: int
) -> list[_KnownCalls]:  # fmt: skip
    """One pass over the texts. slots: of each text, or none at all; depth: the most drafts of a branch."""
    input_ids, context, hidden = read_texts(model, [[*text.ids, *text.tokens[:-1]] for text in texts])
    groups: dict[SamplingConfig, list[int]] = {}
    for i, text in enumerate(texts):
        groups.setdefault(text.sampling, []).append(i)
    picked, drawn = dict[int, Picked](), dict[int, list[Drawn]]()
    for sampling, mine in groups.items():
        picked |= _picks(model, texts, mine, sampling, hidden)
    if slots and depth and max(len(text.tokens) for text in texts) > 1:
        windows, settling = _windows(model, texts, slots, depth, input_ids, context, hidden)
        for sampling, mine in groups.items():
            drawn |= _drafts(model, texts, mine, sampling, slots[mine[0]], windows, settling)
    rows = model.max_context + len(texts[0].tokens)
    return [_KnownCalls(picked[i], text.tokens, drawn.get(i, []), rows) for i, text in enumerate(texts)]


def _picks(
    model: PTPModel, texts: Sequence[KnownText], mine: Sequence[int], sampling: SamplingConfig, hidden: Tensor
) -> dict[int, Picked]:
    """The picks of these texts, all of one sampling, from hidden (B, S, E)."""
    width = hidden.shape[1]
    rows = [i * width + len(texts[i].ids) - 1 + k for i in mine for k in range(len(texts[i].tokens))]
    noise = Joined([noise_from(texts[i].noise, 0, len(texts[i].tokens)) for i in mine])
    whole = pick(model.logits(hidden.flatten(0, 1)[torch.tensor(rows, device=hidden.device)]), sampling, noise)
    found, start = {}, 0
    for i in mine:
        found[i] = whole.part(start, start + len(texts[i].tokens))
        start += len(texts[i].tokens)
    return found


def _windows(
    model: PTPModel, texts: Sequence[KnownText], slots: Sequence[Slots], depth: int, input_ids: Tensor,
    context: KVCache, hidden: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """States (B, N, L, E) of the slots behind every token but the last, and (B, N, E) of the target's that settle
    them. Shorter texts are filled up."""
    length, count = depth + slots[0].num_settled, max(len(text.tokens) for text in texts) - 1
    starts, told = [], []
    for text, mine in zip(texts, slots, strict=True):
        own = len(text.tokens) - 1
        starts.append([len(text.ids) + k if k < own else 1 for k in range(count)])  # a window needs a token before it
        numbers = count + length - 1
        told.append(text.noise.values(0, numbers) if mine.tells_u else [UNTOLD] * numbers)
    places = torch.tensor(starts, device=model.device)
    u = torch.tensor(told).unfold(1, length, 1).to(model.device)  # (B, N, L)
    temperature = torch.tensor([text.sampling.temperature for text in texts])
    return slot_windows(model, input_ids, places, u, temperature, context), rows_before(hidden, places)


def _drafts(
    model: PTPModel, texts: Sequence[KnownText], mine: Sequence[int], sampling: SamplingConfig, slots: Slots,
    windows: Tensor, settling: Tensor,
) -> dict[int, list[Drawn]]:  # fmt: skip
    """The drafts of every branch of these texts, all of one sampling, from _windows. slots: of one of them."""
    behind, lead = slots.num_settled, slots.lead
    starts = []
    for i in mine:
        before, text = texts[i].ids[-1], texts[i].tokens
        for k, token in enumerate(text[:-1]):
            noise = noise_from(texts[i].noise, k + lead + behind, windows.shape[2] - behind)
            starts.append((i, ChainStart(windows[i, k, behind:], (before, token), settling[i, k], noise)))
            before = token
    found: dict[int, list[Drawn]] = {i: [] for i in mine}
    for at in range(0, len(starts), _MOST_WINDOWS):
        some = starts[at : at + _MOST_WINDOWS]
        for (i, _), drawn in zip(some, _read(model, [start for _, start in some], sampling, slots), strict=True):
            found[i].append(drawn)
    return found


def _read(model: PTPModel, starts: Sequence[ChainStart], sampling: SamplingConfig, slots: Slots) -> list[Drawn]:
    if slots.chained:
        return list(read_chains(model, starts, sampling, slots.argmax, slots.sharpness))
    logits = model.logits(torch.cat([start.slots for start in starts]))
    drawn = read_slots(logits, Joined([start.noise for start in starts]), sampling, slots.argmax, slots.sharpness)
    depth = len(starts[0].slots)
    return [drawn[at : at + depth] for at in range(0, len(drawn), depth)]
