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

from ..coupling import coupling_of
from ..model.attention import KVCache
from ..model.ptp_model import PTPModel
from ..model.tokenizer import PieceStream
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from ..trace import DecodeStep, Draft, Emitted, Source
from ..verify import ExtraKind, Verdict, verify
from .calls import Calls, Picked, PlainCalls
from .engine_calls import EngineCalls
from .records import draft_status, emitted_record, step_kind
from .settings import MAX_SLOTS, DecodeSettings
from .slots import SlotRule, Slots
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
        calls: Calls | None = None,
    ) -> None:
        """max_drafts is the most that a call verifies, `slots` how its slots draft (None: calls carry none).

        calls: who makes them; None: the model's engine where it has one, else the model itself.

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
        length = len(ids) + self.limit
        self._calls: Calls
        if calls is not None:
            self._calls = calls
        elif model.engine is not None:
            self._calls = EngineCalls(model, noise, sampling, settings, self._slots, max_drafts, length)
        else:
            rows = min((max_drafts + 1) ** 2, MAX_SLOTS)
            self._calls = PlainCalls(model, noise, sampling, self._slots, length + max_drafts + rows)
        self._cache = self._calls.cache
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
        reply = self._calls(self.pending, drafts, spec, first, self.laps)
        target_tokens, answer = reply.answer.settled, reply.answer
        verdict = verify([d.token for d in drafts], target_tokens)
        new, num_accepted = self._accept(target_tokens, verdict)
        self.settling = answer.settling[verdict.num_accepted]
        self._cache.keep(context + len(self.pending) + num_accepted)
        self.pending = new[-1:]
        self.laps.lap("verify")
        kept = next((i for i, (m, _) in enumerate(spec) if m == verdict.num_accepted and not self.done), None)
        pending = [] if kept is None or by_slots is None else by_slots.kept(answer, kept, reply.drawn)
        pending = pending[: self.until_eos(pending)]
        self.laps.lap("read")
        seconds = time.perf_counter() - start
        num_positions = real + sum(length for _, length in spec)
        end_call(num_positions, 1e3 * seconds)

        step = DecodeStep(
            index=self._steps,
            kind=step_kind(self._steps, drafts, spec),
            drafts=[replace(d, status=draft_status(i, verdict.num_accepted)) for i, d in enumerate(drafts)],
            target_tokens=list(target_tokens),
            num_accepted=num_accepted,
            extra_token=new[-1] if len(new) > num_accepted else None,
            extra_kind=verdict.extra_kind if len(new) > num_accepted else None,
            emitted=self._emitted(reply.picked, new, first, num_accepted, verdict.extra_kind),
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

    def until_eos(self, drafts: Sequence[Draft]) -> int:
        """How many drafts there are up to and including an end of text."""
        for i, draft in enumerate(drafts):
            if draft.token in self._eos:
                return i + 1
        return len(drafts)

    def _emitted(
        self, picked: Picked, new: Sequence[int], first: int, num_accepted: int, extra_kind: ExtraKind
    ) -> list[Emitted]:
        """Records of the new tokens."""
        records = []
        logits, found = picked.logits, picked.found
        if self._details or not found.complete:
            logits = logits.cpu()  # at once: each look would wait for a GPU
        for i, token in enumerate(new):
            piece = self._pieces.push(token, last=self.done and i == len(new) - 1)
            source: Source = "accepted" if i < num_accepted else extra_kind
            row, column = found.row(i), int(picked.columns[i])
            mine = None if picked.clocks is None else picked.clocks[i : i + 1]
            stay = self.coupling.stay(row, column, self.noise, first + i, mine)
            records.append(
                emitted_record(
                    self.model, logits[i], row, column, stay, self.sampling.temperature, first + i, piece, source,
                    self._details,
                )
            )  # fmt: skip
        return records
