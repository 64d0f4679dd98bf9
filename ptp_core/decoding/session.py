"""One decoding run: its cache, its text so far, and the model call that extends both.

A call carries [pending tokens | drafts to verify | u-slots of every branch]. It runs the network, picks with the
target's logits, verifies, rewinds the cache, and reads the drafts of the branch that came true. Work that only pictures
need is done after the clock has stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..model.attention import KVCache
from ..model.kernels.shallow_inference import Drafting
from ..model.layout import call_layout
from ..model.ptp_model import PTPModel
from ..model.tokenizer import PieceStream
from ..noise import NoiseTape
from ..sampling import Candidates, SamplingConfig, candidates
from ..trace import Branch, DecodeStep, Draft, DraftStatus, Emitted, Source
from ..verify import ExtraKind, Verdict, verify
from .drafters.branches import branch_probabilities, calibrated
from .records import draft_status, emitted_record, step_kind
from .settings import MAX_SLOTS, checked_rule
from .slots import ChainStart, read_chains, read_slots
from .stopwatch import Laps


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


@dataclass(frozen=True)
class _Answer:
    """What a call says about its branches.

    spec holds (assumed drafts m, number of slots) per branch, and branch_rows the branch's rows of `slots` (S, ...).
    These are logits, or hidden states where drafts are chained. For each outcome m, verification settles one token:
    settled[m]. in_front[m] is the token before it. settling (g + 1, E) holds the target's states that chose it.
    """

    first: int  # generated position that the call's first target row decides
    spec: Sequence[tuple[int, int]]
    branch_rows: Sequence[range]
    slots: Tensor
    in_front: Sequence[int]
    settled: Sequence[int]
    settling: Tensor


class Run:
    """One decoding run: its cache, its text so far, and the model call that extends both."""

    def __init__(
        self,
        model: PTPModel,
        ids: Sequence[int],
        noise: NoiseTape,
        sampling: SamplingConfig,
        max_new_tokens: int,
        num_speculative_tokens: int,
        reads_u: bool = True,
        chained: bool = True,
        draft_rule: str = "argmax",
        details: bool = True,
        resume: Resume = START,
    ) -> None:
        self.model, self.noise, self.sampling = model, noise, sampling
        self.limit = model.token_limit(ids, max_new_tokens)
        self.tokens = [*ids, *resume.tokens]
        self.pending = self.tokens[resume.num_cached :]  # what the next call puts into the cache, before its drafts
        self.num_prompt = len(ids)
        self.details = details
        self.reads_u = reads_u
        self.max_drafts = num_speculative_tokens
        self.laps = Laps()
        self.settling: Tensor | None = None  # the state (E,) that chose the last token
        self._eos = model.eos_tokens
        self._pieces = PieceStream(model.decode)
        for token in resume.tokens:
            self._pieces.push(token)
        self.ended = any(token in self._eos for token in resume.tokens)
        self._steps = resume.num_steps
        config = model.adapter
        self._lead = config.lead if config else 0
        self._shift = config.position_shift if config else -1
        self.draft_rule = checked_rule(draft_rule)
        sees_u = config is not None and config.reads_u and reads_u
        self._argmax = config is not None and (config.variant == "o-ptp" if sees_u else draft_rule == "argmax")
        self._chained = model.chain is not None and chained
        self.num_settled = config.num_settled if config else 1
        slots = min((num_speculative_tokens + 1) ** 2, MAX_SLOTS)
        self._cache = model.new_cache(len(ids) + self.limit + num_speculative_tokens + slots)
        if resume.cache is not None:
            self._cache.copy_from(resume.cache, resume.num_cached)

    @property
    def num_emitted(self) -> int:
        return len(self.tokens) - self.num_prompt

    @property
    def remaining(self) -> int:
        return self.limit - self.num_emitted

    def drafting(self, u: Sequence[float]) -> Drafting:
        """Shallow slots with noise u behind the text so far; needs a call."""
        assert self.settling is not None
        return self.model.require_shallow().drafting(self.settling, u, self.sampling.temperature, self._cache)

    @property
    def done(self) -> bool:
        return self.ended or self.remaining <= 0

    def slot_limits(self, num_drafts: int) -> list[int]:
        """Most slots of branch m, for m = 0..num_drafts, that can still bring a token of the text."""
        limits = []
        for m in range(num_drafts + 1):
            useful = min(self.max_drafts, self.remaining - m - 2)
            limits.append(useful + self.num_settled if useful > 0 else 0)
        return limits

    @torch.inference_mode()
    def call(self, drafts: Sequence[Draft], lengths: Sequence[int]) -> tuple[DecodeStep, list[Draft]]:
        """Verifies the drafts, prepares branch m with lengths[m] slots, returns the step and the kept drafts."""
        start = time.perf_counter()
        context, first = self._cache.length, self.num_emitted
        real = len(self.pending) + len(drafts)
        spec = [(m, length) for m, length in enumerate(lengths) if length > 0]
        self.laps.start()
        layout = call_layout(context, len(self.pending), len(drafts), spec, self._lead, self._shift)
        self.laps.lap("layout")
        hidden = self._forward(drafts, spec, layout.positions, layout.mask, first)
        settling, slots = hidden[real - len(drafts) - 1 : real], hidden[real:]
        if self._chained:
            targets = self.model.logits(settling)
        else:  # the head is a fifth of the weights, so one product for all rows is the cheapest
            logits = self.model.logits(hidden[real - len(drafts) - 1 :])
            targets, slots = logits[: len(drafts) + 1], logits[len(drafts) + 1 :]
        self.laps.lap("head")

        found, columns = self._pick(targets, self.noise.values(first, first + len(drafts) + 1))
        target_tokens = found.tokens.gather(1, columns).squeeze(1).tolist()
        self.laps.lap("pick")
        verdict = verify([d.token for d in drafts], target_tokens)
        in_front = [self.pending[-1], *(d.token for d in drafts)]
        answer = _Answer(first, spec, layout.branch_rows, slots, in_front, target_tokens, settling)
        new, num_accepted = self._accept(target_tokens, verdict)
        self.settling = settling[verdict.num_accepted]
        self._cache.keep(context + len(self.pending) + num_accepted)
        self.pending = new[-1:]
        self.laps.lap("verify")
        kept = next((i for i, (m, _) in enumerate(spec) if m == verdict.num_accepted and not self.done), None)
        pending = [] if kept is None else self._read(answer, [kept])[0]
        pending = pending[: self.until_eos(pending)]
        self.laps.lap("read")
        seconds = time.perf_counter() - start

        step = DecodeStep(
            index=self._steps,
            kind=step_kind(self._steps, drafts, spec),
            drafts=[replace(d, status=draft_status(i, verdict.num_accepted)) for i, d in enumerate(drafts)],
            target_tokens=target_tokens,
            num_accepted=num_accepted,
            extra_token=new[-1] if len(new) > num_accepted else None,
            extra_kind=verdict.extra_kind if len(new) > num_accepted else None,
            emitted=self._emitted(targets, found, columns, new, first, num_accepted, verdict.extra_kind),
            branches=self._branches(answer, kept, pending, drafts),
            num_positions=real + sum(length for _, length in spec),
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
            slots = self._embed_branches(drafts, spec, first)[None]
        self.laps.lap("embed")
        hidden = self.model(tokens, slots, positions=positions, mask=mask, cache=self._cache)[0]
        self.laps.lap("body")
        return hidden

    def _embed_branches(self, drafts: Sequence[Draft], spec: Sequence[tuple[int, int]], first: int) -> Tensor:
        """Slot embeddings (S, E) of all branches, one behind the other."""
        u: list[float] = []
        firsts, anchors = [], []
        for assumed, length in spec:
            firsts.append(len(u))
            anchors.append(drafts[assumed - 1].token if assumed else self.pending[-1])
            u += self.noise.values(first + assumed, first + assumed + length) if self.reads_u else [0.5] * length
        return self.model.embed_slots(
            torch.tensor(u), self.sampling.temperature, torch.tensor(firsts), torch.tensor(anchors)
        )

    def _pick(self, logits: Tensor, u: Sequence[float]) -> tuple[Candidates, Tensor]:
        """The target's distributions (g + 1 rows) and the column (g + 1, 1) that each u falls into."""
        values = torch.tensor(u, device=logits.device)
        found = candidates(logits, self.sampling, full=False)
        columns = found.find(values)
        if not found.complete and bool((columns == found.tokens.shape[1]).any()):
            found = candidates(logits, self.sampling)
            columns = found.find(values)
        return found, columns[:, None]

    def _read(self, answer: _Answer, branches: Sequence[int]) -> list[list[Draft]]:
        """The drafts of these branches, `pending`, without the slots that only stand for the settled token."""
        starts = [self._slots_of(answer, i, self.num_settled) for i in branches]
        if self._chained:
            outcomes = [answer.spec[i][0] for i in branches]
            chains = [
                ChainStart(slots, (answer.in_front[m], answer.settled[m]), answer.settling[m], u)
                for m, (slots, u) in zip(outcomes, starts, strict=True)
            ]
            found = read_chains(self.model, chains, self.sampling, self._argmax)
        else:
            found = [read_slots(slots, u, self.sampling, self._argmax) if len(u) else [] for slots, u in starts]
        return [self._as_drafts(u, drawn) for (_, u), drawn in zip(starts, found, strict=True)]

    def _read_settled(self, answer: _Answer) -> list[list[Draft]]:
        """For each branch, what its slots guess for the token that verification decides, before they know it."""
        starts = [self._slots_of(answer, i, 0, self.num_settled) for i in range(len(answer.spec))]
        if not starts or not self.num_settled:
            return [[] for _ in starts]
        rows, u = torch.cat([slots for slots, _ in starts]), [value for _, values in starts for value in values]
        drawn = read_slots(self.model.logits(rows) if self._chained else rows, u, self.sampling, self._argmax)
        return [[draft] for draft in self._as_drafts(u, drawn)]

    def _slots_of(
        self, answer: _Answer, branch: int, start: int, end: int | None = None
    ) -> tuple[Tensor, Sequence[float]]:
        """Slots start..end of a branch, and the u's of the tokens that they predict."""
        rows = answer.branch_rows[branch][start:end]
        first = answer.first + answer.spec[branch][0] + self._lead + start
        return answer.slots[rows.start : rows.stop], self.noise.values(first, first + len(rows))

    def _as_drafts(self, u: Sequence[float], drawn: Sequence[tuple[int, float, float]]) -> list[Draft]:
        config = self.model.require_adapter()  # figures of an adapter that reads u say nothing about drafts without it
        known = config.figures(self._chained, self.draft_rule)
        weights = known.confidence if self.reads_u or not config.reads_u else None
        return [
            Draft(token, self.model.label(token), value, calibrated(prob, margin, weights), margin, "pending")
            for value, (token, prob, margin) in zip(u, drawn, strict=True)
        ]

    def until_eos(self, drafts: Sequence[Draft]) -> int:
        """How many drafts there are up to and including an end of text."""
        for i, draft in enumerate(drafts):
            if draft.token in self._eos:
                return i + 1
        return len(drafts)

    def _branches(
        self, answer: _Answer, kept: int | None, pending: list[Draft], drafts: Sequence[Draft]
    ) -> list[Branch]:
        """Records of all branches. Without details only the kept one's drafts are read."""
        probabilities = branch_probabilities([d.prob for d in drafts])
        others = [i for i in range(len(answer.spec)) if i != kept and self.details]
        rest = dict(zip(others, self._read(answer, others), strict=True))
        guesses = self._read_settled(answer) if self.details else [[] for _ in answer.spec]
        records = []
        for i, (assumed, length) in enumerate(answer.spec):
            state: DraftStatus = "settled" if i == kept else "unused"
            shown = [replace(d, status=state) for d in guesses[i]]
            shown += pending if i == kept else [replace(d, status="unused") for d in rest.get(i, [])]
            records.append(Branch(assumed, probabilities[assumed], shown, i == kept, length))
        return records

    def _emitted(
        self,
        logits: Tensor,
        found: Candidates,
        columns: Tensor,
        new: Sequence[int],
        first: int,
        num_accepted: int,
        extra_kind: ExtraKind,
    ) -> list[Emitted]:
        """Records of the new tokens; logits (g + 1, V), `found` and columns (g + 1, 1) are the target's."""
        records = []
        for i, token in enumerate(new):
            piece = self._pieces.push(token, last=self.done and i == len(new) - 1)
            source: Source = "accepted" if i < num_accepted else extra_kind
            tokens, probs, right = (part[i : i + 1] for part in (found.tokens, found.probs, found.right))
            row = Candidates(tokens, probs, right, found.complete)
            u, warmth = self.noise[first + i], self.sampling.temperature
            records.append(
                emitted_record(
                    self.model, logits[i], row, int(columns[i]), warmth, first + i, u, piece, source, self.details
                )
            )
        return records


Plan = Callable[[Sequence[Draft]], list[int]]
Propose = Callable[[], list[Draft]]


def drive(run: Run, plan: Plan, propose: Propose | None = None) -> Generator[DecodeStep, None, None]:
    """The loop of every method: plan the slots, call the model, pass on the drafts of the branch that came true.

    A step's seconds hold its planning and proposing: who drafts by thinking pays for the thinking.
    """
    drafts: list[Draft] = []
    while not run.done:
        start = time.perf_counter()
        run.laps.start()
        lengths = plan(drafts)
        run.laps.lap("plan")
        planning = time.perf_counter() - start
        step, drafts = run.call(drafts, lengths)
        if propose is not None and not run.done:
            start = time.perf_counter()
            run.laps.start()
            drafts = propose()
            run.laps.lap("draft")
            planning += time.perf_counter() - start
        yield replace(step, seconds=step.seconds + planning)
