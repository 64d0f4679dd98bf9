"""One decoding run: its cache, its text so far, and the model call that extends both.

A call carries [pending tokens | drafts to verify | u-slots of every branch]. It runs the network, picks with the
target's logits, verifies, rewinds the cache, and reads the drafts of the branch that came true. Work that only pictures
need is done after the clock has stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..coupling import NoiseAt, coupling_of
from ..coupling.noise_at import noise_from
from ..model.attention import KVCache
from ..model.layout import call_layout
from ..model.ptp_model import PTPModel
from ..model.tokenizer import PieceStream
from ..noise import NoiseTape
from ..sampling import Candidates, SamplingConfig, candidates
from ..trace import DecodeStep, Draft, Emitted, Source
from ..verify import ExtraKind, Verdict, verify
from .records import draft_status, emitted_record, step_kind
from .settings import MAX_SLOTS, DecodeSettings
from .slots import Answer, SlotRule, Slots
from .stopwatch import Laps
from .threads import begin_call, end_call


@dataclass(frozen=True)
class Resume:
    """Where a run continues: the tokens generated already, and how many calls brought them.

    The first num_cached rows of the cache hold the beginning of prompt and tokens. They are read, never written.
    """

    tokens: Sequence[int] = ()
    num_steps: int = 0
    cache: KVCache | None = None
    num_cached: int = 0


START = Resume()


class Session:
    """One decoding run: its cache, its text so far, and the model call that extends both."""

    def __init__(
        self,
        model: PTPModel,
        ids: Sequence[int],
        noise: NoiseTape,
        sampling: SamplingConfig,
        settings: DecodeSettings,
        max_drafts: int,
        slots: SlotRule | None = None,
        resume: Resume = START,
    ) -> None:
        """max_drafts is the most that a call verifies, `slots` how its slots draft (None: calls carry none).

        ValueError for a prompt that is empty or leaves no room.
        """
        self.model, self.noise, self.sampling = model, noise, sampling
        self.coupling = coupling_of(sampling)
        self.limit = model.token_limit(ids, settings.max_new_tokens)
        self.tokens = [*ids, *resume.tokens]
        self.pending = self.tokens[resume.num_cached :]  # what the next call puts into the cache, before its drafts
        self.num_prompt = len(ids)
        self._details = settings.details
        self._slots = None if slots is None else Slots(model, noise, sampling, slots)
        self.laps = Laps()
        self.settling: Tensor | None = None  # the state (E,) that chose the last token
        self._eos = model.eos_tokens
        self._pieces = PieceStream(model.decode)
        for token in resume.tokens:
            self._pieces.push(token)
        self.ended = any(token in self._eos for token in resume.tokens)
        self._steps = resume.num_steps
        rows = min((max_drafts + 1) ** 2, MAX_SLOTS)
        self._cache = model.new_cache(len(ids) + self.limit + max_drafts + rows)
        if resume.cache is not None:
            self._cache.copy_from(resume.cache, resume.num_cached)

    @property
    def num_emitted(self) -> int:
        return len(self.tokens) - self.num_prompt

    @property
    def remaining(self) -> int:
        return self.limit - self.num_emitted

    @property
    def cache(self) -> KVCache:
        """Keys and values of the text; rows behind its length are free for drafts."""
        return self._cache

    @property
    def done(self) -> bool:
        return self.ended or self.remaining <= 0

    @torch.inference_mode()
    def call(self, drafts: Sequence[Draft], lengths: Sequence[int]) -> tuple[DecodeStep, list[Draft]]:
        """Verifies the drafts, prepares branch m with lengths[m] slots, returns the step and the kept drafts."""
        begin_call()
        start = time.perf_counter()
        context, first = self._cache.length, self.num_emitted
        real = len(self.pending) + len(drafts)
        spec = [(m, length) for m, length in enumerate(lengths) if length > 0]
        self.laps.start()
        by_slots = self._slots
        lead, shift = (by_slots.lead, by_slots.shift) if by_slots else (0, -1)
        layout = call_layout(context, len(self.pending), len(drafts), spec, lead, shift)
        self.laps.lap("layout")
        hidden = self._forward(drafts, spec, layout.positions, layout.mask, first)
        settling, slots = hidden[real - len(drafts) - 1 : real], hidden[real:]
        if by_slots and by_slots.chained:
            targets = self.model.logits(settling)
        else:  # the head is a fifth of the weights, so one product for all rows is the cheapest
            logits = self.model.logits(hidden[real - len(drafts) - 1 :])
            targets, slots = logits[: len(drafts) + 1], logits[len(drafts) + 1 :]
        self.laps.lap("head")

        found, columns, clocks = self._pick(targets, noise_from(self.noise, first, len(drafts) + 1))
        target_tokens = found.tokens.gather(1, columns).squeeze(1).tolist()
        self.laps.lap("pick")
        verdict = verify([d.token for d in drafts], target_tokens)
        in_front = [self.pending[-1], *(d.token for d in drafts)]
        answer = Answer(first, spec, layout.branch_rows, slots, in_front, target_tokens, settling)
        new, num_accepted = self._accept(target_tokens, verdict)
        self.settling = settling[verdict.num_accepted]
        self._cache.keep(context + len(self.pending) + num_accepted)
        self.pending = new[-1:]
        self.laps.lap("verify")
        kept = next((i for i, (m, _) in enumerate(spec) if m == verdict.num_accepted and not self.done), None)
        pending = [] if kept is None or by_slots is None else by_slots.read(answer, [kept])[0]
        pending = pending[: self.until_eos(pending)]
        self.laps.lap("read")
        seconds = time.perf_counter() - start
        num_positions = real + sum(length for _, length in spec)
        end_call(num_positions, 1e3 * seconds)

        step = DecodeStep(
            index=self._steps,
            kind=step_kind(self._steps, drafts, spec),
            drafts=[replace(d, status=draft_status(i, verdict.num_accepted)) for i, d in enumerate(drafts)],
            target_tokens=target_tokens,
            num_accepted=num_accepted,
            extra_token=new[-1] if len(new) > num_accepted else None,
            extra_kind=verdict.extra_kind if len(new) > num_accepted else None,
            emitted=self._emitted(targets, found, columns, clocks, new, first, num_accepted, verdict.extra_kind),
            branches=by_slots.records(answer, kept, pending, drafts, self._details) if by_slots else [],
            num_positions=num_positions,
            seconds=seconds,
        )
        self._steps += 1
        return step, pending

    def _accept(self, target_tokens: Sequence[int], verdict: Verdict) -> tuple[list[int], int]:
        """Extends the text by the accepted drafts and the target's own token; nothing follows an end of text.

        Returns the new tokens and how many of them were drafts.
        """
        new = list(target_tokens[: verdict.num_accepted])
        self.ended = any(token in self._eos for token in new)
        if not self.ended:
            new.append(verdict.extra_token)
            self.ended = verdict.extra_token in self._eos
        self.tokens += new
        return new, verdict.num_accepted

    def _forward(
        self, drafts: Sequence[Draft], spec: Sequence[tuple[int, int]], positions: Tensor, mask: Tensor, first: int
    ) -> Tensor:
        """Hidden states (Q, E) of pending tokens, drafts and the slots of all branches."""
        tokens = torch.tensor([self.pending + [d.token for d in drafts]], device=self.model.device)
        slots = None
        if spec:
            assert self._slots is not None
            ends = [self.pending[-1], *(d.token for d in drafts)]
            slots = self._slots.embed(spec, ends, first)[None]
        self.laps.lap("embed")
        hidden = self.model(tokens, slots, positions=positions, mask=mask, cache=self._cache)[0]
        self.laps.lap("body")
        return hidden

    def _pick(self, logits: Tensor, noise: NoiseAt) -> tuple[Candidates, Tensor, Tensor | None]:
        """The target's distributions (g + 1 rows), the column (g + 1, 1) that the noise picks, and the candidates'
        clocks where they have some. All are on the CPU."""
        found = candidates(logits, self.sampling, full=not self.coupling.shortlist).cpu()
        clocks = self.coupling.clocks(found, noise)
        columns = self.coupling.columns(found, noise, clocks)
        if not found.complete and bool((columns == found.tokens.shape[1]).any()):
            found = candidates(logits, self.sampling).cpu()
            columns = self.coupling.columns(found, noise)
        return found, columns[:, None], clocks

    def until_eos(self, drafts: Sequence[Draft]) -> int:
        """How many drafts there are up to and including an end of text."""
        for i, draft in enumerate(drafts):
            if draft.token in self._eos:
                return i + 1
        return len(drafts)

    def _emitted(
        self,
        logits: Tensor,
        found: Candidates,
        columns: Tensor,
        clocks: Tensor | None,
        new: Sequence[int],
        first: int,
        num_accepted: int,
        extra_kind: ExtraKind,
    ) -> list[Emitted]:
        """Records of the new tokens; logits (g + 1, V), `found` and columns (g + 1, 1) are the target's."""
        records = []
        if self._details or not found.complete:
            logits = logits.cpu()  # at once: each look would wait for a GPU
        for i, token in enumerate(new):
            piece = self._pieces.push(token, last=self.done and i == len(new) - 1)
            source: Source = "accepted" if i < num_accepted else extra_kind
            row = found.row(i)
            mine = None if clocks is None else clocks[i : i + 1]
            stay = self.coupling.stay(row, int(columns[i]), self.noise, first + i, mine)
            records.append(
                emitted_record(
                    self.model, logits[i], row, int(columns[i]), stay, self.sampling.temperature, first + i, piece,
                    source, self._details,
                )
            )  # fmt: skip
        return records
