"""A model call of a run, and what it says: by the model itself, each call in the shape that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..coupling import NoiseAt, coupling_of
from ..coupling.noise_at import Joined, noise_from
from ..model.attention import KVCache
from ..model.layout import CallLayout, call_layout
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import Candidates, SamplingConfig, candidates
from ..trace import Draft
from .slots import Answer, Slots
from .stopwatch import Laps

Spec = Sequence[tuple[int, int]]  # (assumed drafts m, number of slots) of each branch


@dataclass(frozen=True)
class Picked:
    """The target's distributions in g + 1 rows, and the tokens that the noise picks.

    logits   (g + 1, V)
    found    their candidates, on the host
    columns  (g + 1, 1) of the picked tokens in `found`
    clocks   the candidates' clocks where they have some
    """

    logits: Tensor
    found: Candidates
    columns: Tensor
    clocks: Tensor | None

    @property
    def tokens(self) -> list[int]:
        return self.found.tokens.gather(1, self.columns).squeeze(1).tolist()

    def part(self, start: int, stop: int) -> Picked:
        """The rows start..stop."""
        clocks = None if self.clocks is None else self.clocks[start:stop]
        return Picked(self.logits[start:stop], self.found.part(start, stop), self.columns[start:stop], clocks)


def pick(logits: Tensor, sampling: SamplingConfig, noise: NoiseAt | Joined) -> Picked:
    """What the noise picks from logits (g + 1, V). All but the logits comes to the host."""
    coupling = coupling_of(sampling)
    found = candidates(logits, sampling, full=not coupling.shortlist).cpu()
    clocks = coupling.clocks(found, noise)
    columns = coupling.columns(found, noise, clocks)
    if not found.complete and bool((columns == found.tokens.shape[1]).any()):
        found = candidates(logits, sampling).cpu()
        columns = coupling.columns(found, noise)
    return Picked(logits, found, columns[:, None], clocks)


@dataclass(frozen=True)
class Reply:
    """What a call says.

    picked  the target's picks behind the last pending token and behind each draft
    answer  what the slots say
    drawn   (token, probability, margin) of the kept branch's drafts, where they are read already
    """

    picked: Picked
    answer: Answer
    drawn: Sequence[tuple[int, float, float]] | None = None


class Calls(Protocol):
    """The calls of one run. They write to the cache and do not advance it, but for all pending tokens but the last."""

    cache: KVCache

    def __call__(
        self, pending: Sequence[int], drafts: Sequence[Draft], spec: Spec, first: int, laps: Laps
    ) -> Reply: ...


class PlainCalls:
    """Calls by PTPModel.forward. Each carries [pending tokens | drafts to verify | slots of every branch]."""

    def __init__(
        self, model: PTPModel, noise: NoiseTape, sampling: SamplingConfig, slots: Slots | None, most_rows: int
    ) -> None:
        """most_rows: of text, drafts and slots together, as the cache must hold them."""
        self.cache = model.new_cache(most_rows)
        self._model, self._noise, self._sampling, self._slots = model, noise, sampling, slots

    def __call__(self, pending: Sequence[int], drafts: Sequence[Draft], spec: Spec, first: int, laps: Laps) -> Reply:
        """first: the generated position that the first target row decides."""
        model, by_slots = self._model, self._slots
        real = len(pending) + len(drafts)
        lead, shift = (by_slots.lead, by_slots.shift) if by_slots else (0, -1)
        layout = call_layout(self.cache.length, len(pending), len(drafts), spec, lead, shift)
        laps.lap("layout")
        in_front = [pending[-1], *(d.token for d in drafts)]
        tokens = torch.tensor([[*pending[:-1], *in_front]], device=model.device)
        embedded = by_slots.embed(spec, in_front, first)[None] if by_slots and spec else None
        laps.lap("embed")
        hidden = self.layers(tokens, embedded, layout)
        laps.lap("body")
        settling, slots = hidden[real - len(drafts) - 1 : real], hidden[real:]
        if by_slots and by_slots.chained:
            targets = model.logits(settling)
        else:  # the head is a fifth of the weights, so one product for all rows is the cheapest
            logits = model.logits(hidden[real - len(drafts) - 1 :])
            targets, slots = logits[: len(drafts) + 1], logits[len(drafts) + 1 :]
        laps.lap("head")
        picked = pick(targets, self._sampling, noise_from(self._noise, first, len(drafts) + 1))
        answer = Answer(first, spec, layout.branch_rows, slots, in_front, picked.tokens, settling)
        laps.lap("pick")
        return Reply(picked, answer)

    def layers(self, tokens: Tensor, slots: Tensor | None, layout: CallLayout) -> Tensor:
        """Last hidden states (Q, E) of a call's rows: tokens (1, R), then slots (1, S, E)."""
        return self._model(tokens, slots, positions=layout.positions, mask=layout.mask, cache=self.cache)[0]
