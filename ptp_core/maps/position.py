"""One place of a text, opened for questions: what the target would say after other tokens, and what the
draft would say for other noise. Many questions share a call, as rows that do not see one another.

    C tokens before the place    B lanes or windows    L tokens of a window    S slots    V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..coupling import NoiseAt, coupling_of
from ..coupling.noise_at import Joined, noise_from
from ..decoding.slots import UNTOLD, read_slots
from ..model.layout import call_layout, tree_layout
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import Candidates, candidates, slot_distribution
from ..trace import Trace
from .contexts import Contexts

MAX_ROWS = 192  # of a call: a fraction of a second on a small machine


class Place:
    """The moment before the token at `position` of a trace.

    found, one row, is the target's distribution there, logits (V,) where it comes from; calls counts the
    model calls so far. room = how many lanes may go on for how many tokens, multiplied.
    Raises ValueError for a position outside the text and for a trace of another model.
    """

    @torch.inference_mode()
    def __init__(
        self, model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None, room: int = 0
    ) -> None:
        check(model, trace, position)
        self.model, self.sampling, self.position = model, trace.sampling, position
        self.coupling = coupling_of(trace.sampling)
        self.tokens = [*trace.prompt_tokens, *trace.tokens[:position]]
        contexts = contexts or Contexts()
        before = contexts.calls
        known, length = contexts.filled(model, self.tokens[:-1])
        self.calls = contexts.calls - before
        self._cache = model.new_cache(len(self.tokens) + max(room, MAX_ROWS))
        if known is not None:
            self._cache.copy_from(known, length)
        layout = call_layout(length, 1, 0)
        self.logits = self._call(self.tokens[-1:], None, layout.positions, layout.mask)[0]
        self._cache.keep(len(self.tokens))
        self.found: Candidates = candidates(self.logits[None], self.sampling)

    def _call(self, tokens: Sequence[int], slots: Tensor | None, positions: Tensor, mask: Tensor) -> Tensor:
        """Logits (rows, V) of real tokens or of slots (S, E), behind what the cache holds."""
        self.calls += 1
        ids = torch.tensor([list(tokens)], dtype=torch.int64, device=self.model.device)
        given = None if slots is None else slots[None]
        return self.model.logits(self.model(ids, given, positions=positions, mask=mask, cache=self._cache)[0])

    # ---- the target ------------------------------------------------------------------------------

    @torch.inference_mode()
    def extend_lanes(self, tokens: Sequence[int]) -> Candidates:
        """Adds a token to each of B continuations of this place, which do not see one another; returns the
        target's distributions (B rows) behind them. The first call begins the lanes."""
        count, context = len(tokens), len(self.tokens)
        level = (self._cache.length - context) // count
        own = torch.eye(count, dtype=torch.bool).repeat(1, level + 1)
        mask = torch.cat([torch.ones(count, context, dtype=torch.bool), own], dim=1)
        logits = self._call(tokens, None, torch.full((count,), context + level), mask)
        self._cache.keep(context + (level + 1) * count)
        return candidates(logits, self.sampling)

    def close_lanes(self) -> None:
        """Takes the lanes out of the cache again."""
        self._cache.keep(len(self.tokens))

    def column(self, noise: NoiseTape) -> int:
        """Where this tape's noise falls in `found`."""
        return int(self.coupling.columns(self.found, NoiseAt(noise, [self.position])))

    def picked(self, noise: NoiseTape) -> int:
        """The target's token here on this tape."""
        return int(self.found.tokens[0, self.column(noise)])

    def answers(self, trace: Trace, token: int | None, most: int) -> list[tuple[int, float, float, float]]:
        """What the place's number picks as it runs over [0, 1): (token, length, left, right).

        Where each token has a number, it is the one of `token`, by default of the text's own.
        """
        token = trace.tokens[self.position] if token is None else token
        return self.coupling.answers(self.found.cpu(), trace.noise, self.position, token, most)

    # ---- the draft -------------------------------------------------------------------------------

    @property
    def reads_own_u(self) -> bool:
        """Whether a slot's argmax is its token (O-PTP that is told u); otherwise a slot holds a distribution."""
        return self.coupling.one_number and self.model.require_adapter().variant == "o-ptp"

    @property
    def most_tokens(self) -> int:
        """Tokens of a whole window, with those that verification settles before its first slot."""
        config = self.model.require_adapter()
        return config.window + config.lead

    @torch.inference_mode()
    def slot_logits(self, u: Sequence[float], parents: Sequence[int]) -> Tensor:
        """Logits (S, V) of a forest of slots with these u's; parents[i] < i is the slot before slot i, -1: none."""
        config = self.model.require_adapter()
        before = torch.tensor(list(parents))
        roots = (before < 0).nonzero()[:, 0]
        anchors = torch.full((len(roots),), self.tokens[-1])
        slots = self.model.embed_slots(torch.tensor(list(u)), self.sampling.temperature, roots, anchors, before)
        layout = tree_layout(len(self.tokens), parents, config.lead + config.position_shift)
        return self._call([], slots, layout.positions, layout.mask)

    def windows(self, tapes: Sequence[NoiseTape], length: int) -> list[tuple[int, ...]]:
        """The drafts of the next `length` tokens on each tape."""
        config = self.model.require_adapter()
        lead, rule = config.lead, "told" if self.coupling.one_number else "race"
        sharpness = config.figures(chained=False, draft_rule=rule).sharpness
        slots = length - lead
        if slots == 0:
            return [(self.picked(tape),) for tape in tapes]
        drafts: list[tuple[int, ...]] = []
        size = max(1, MAX_ROWS // slots)
        for start in range(0, len(tapes), size):
            part = tapes[start : start + size]
            parents = [i - 1 if i % slots else -1 for i in range(slots * len(part))]
            told = [u for tape in part for u in tape.values(self.position, self.position + slots)]
            logits = self.slot_logits(told if self.coupling.one_number else [UNTOLD] * len(told), parents)
            own = Joined([noise_from(tape, self.position + lead, slots) for tape in part])
            tokens = [t for t, _, _ in read_slots(logits, own, self.sampling, self.reads_own_u, sharpness)]
            for b, tape in enumerate(part):
                settled = [self.picked(tape)] if lead else []
                drafts.append((*settled, *tokens[b * slots : (b + 1) * slots]))
        return drafts

    def second_tokens(self, first: Sequence[float], second: Sequence[Sequence[float]]) -> list[list[int]]:
        """O-PTP's second token for u1 = first[i] and each u2 in second[i]; its slot for u1 is computed once."""
        tokens: list[list[int]] = [[] for _ in first]
        for part in _parts([1 + len(values) for values in second], MAX_ROWS):
            u, parents, owner = [first[i] for i in part], [-1] * len(part), []
            for k, i in enumerate(part):
                u += second[i]
                parents += [k] * len(second[i])
                owner += [i] * len(second[i])
            logits = self.slot_logits(u, parents)[len(part) :]
            for i, token in zip(owner, logits.argmax(-1).tolist(), strict=True):
                tokens[i].append(token)
        return tokens

    def second_distributions(self, first: Sequence[float]) -> Candidates:
        """C-PTP's distributions (B rows) of the second token for each u1."""
        lead = self.model.require_adapter().lead
        depth = 2 - lead
        u = [value for u1 in first for value in (u1, UNTOLD)[:depth]]
        logits = self.slot_logits(u, [i - 1 if i % depth else -1 for i in range(len(u))])
        return slot_distribution(logits[depth - 1 :: depth], self.sampling.order, full=True)

    def likeliest(self, count: int) -> list[int | None]:
        """The drafts of the next `count` tokens from slots that are not told u: their likeliest tokens.

        None for a token that verification settles before the first slot drafts.
        """
        lead = self.model.require_adapter().lead
        slots = count - lead
        return [*[None] * lead, *(self.untold_logits(slots).argmax(-1).tolist() if slots else [])]

    def untold_logits(self, slots: int) -> Tensor:
        """Logits (S, V) of a window of slots that are told no noise."""
        return self.slot_logits([UNTOLD] * slots, list(range(-1, slots - 1)))


def check(model: PTPModel, trace: Trace, position: int) -> None:
    """Raises ValueError if the trace is not this model's or has no such position."""
    if trace.model != model.name:
        raise ValueError(f"This text was written by {trace.model}; the model in use is {model.name}.")
    if not trace.prompt_tokens:
        raise ValueError("This text has no prompt, so nothing says what stands before it.")
    model.check_tokens([*trace.prompt_tokens, *trace.tokens])
    if not 0 <= position < len(trace.tokens):
        raise ValueError(f"The text has {len(trace.tokens)} tokens; there is no position {position}.")


def _parts(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Indices in groups whose sizes add up to `limit` at most (single larger ones apart)."""
    parts: list[list[int]] = []
    total = limit
    for i, size in enumerate(sizes):
        if total + size > limit:
            parts.append([])
            total = 0
        parts[-1].append(i)
        total += size
    return parts
