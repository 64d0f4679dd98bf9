"""Decoding with shallow slots: a call verifies, then the slots draft, one after another, as long as it pays."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch

from ...model.ptp_model import PTPModel
from ...noise import NoiseTape
from ...sampling import SamplingConfig
from ...trace import DecodeStep, Draft
from ..costs import Learned, ShallowCosts
from ..measure_costs import shallow_costs
from ..session import START, Resume, Run, drive
from ..settings import checked_budget, checked_window
from ..slots import read_slots
from .branches import calibrated
from .lookup import longest_match

DEFAULT_RUN = (0.4, 0.2, 0.1, 0.05)  # P(N >= k) where shallow slots bring no measurement of their own
# share of right looked-up tokens by how many tokens matched, before any were seen
LOOKED_RATES = {1: 0.12, 2: 0.3, 3: 0.5, 4: 0.65}
Source = int | None  # of a draft: how many tokens matched where it was looked up; None where a slot made it


class DraftDepth:
    """Decides draft by draft whether another one pays, and learns from results and times.

    A fixed budget makes that many drafts. With measured costs, another draft must save more time on average than it
    takes. It takes the time to make it, and its row in the next call.
    """

    def __init__(self, run: Sequence[float], longest: int, budget: int, costs: ShallowCosts | None) -> None:
        self.longest = min(longest, budget) if costs is None else longest
        self._costs = costs
        run = [min(max(p, 1e-6), 1.0) for p in run] or [1e-6]
        rates = [run[0], *(min(b / a, 1.0) for a, b in pairwise(run))]
        self._rates = [Learned(rates[min(k, len(rates) - 1)]) for k in range(max(self.longest, 1))]
        self._looked = {size: Learned(rate) for size, rate in LOOKED_RATES.items()}
        if costs is not None:
            self._call, self._draft = Learned(costs.call), Learned(costs.draft)
            self._pace = Learned(costs.call / (1 + rates[0]))  # milliseconds a token

    def pays(self, confidences: Sequence[float]) -> bool:
        """Whether one more draft behind drafts with these confidences pays."""
        count = len(confidences)
        if count >= self.longest:
            return False
        return self._costs is None or self._gain(confidences, self.rate(count)) > self._draft.value + self._costs.row

    def lookup_pays(self, confidences: Sequence[float], size: int) -> bool:
        """The same for a draft that is looked up and costs its row alone, where `size` tokens matched."""
        if len(confidences) >= self.longest:
            return False
        return self._costs is None or self._gain(confidences, self.looked_rate(size)) > self._costs.row

    def lookup_leads(self, size: int) -> bool:
        """Whether the first draft is better looked up, where `size` tokens matched, than made by a slot."""
        if size < 1 or self.longest < 1:
            return False
        looked, slot = self.looked_rate(size), self.rate(0)
        if self._costs is None:
            return looked > slot
        two = looked * (1 + self.looked_rate(size + 1))
        return self._gain([], two) - self._costs.row > self._gain([], slot) - self._draft.value

    def rate(self, k: int) -> float:
        """Share of right drafts k, from 0, behind right ones: as measured, then more and more as in this run."""
        return self._rates[k].value

    def looked_rate(self, size: int) -> float:
        return self._looked[min(size, max(self._looked))].value

    def _gain(self, confidences: Sequence[float], rate: float) -> float:
        """Milliseconds that a draft behind these saves on average: what a token costs at the pace of this run."""
        return math.prod(confidences) * rate * min(self._pace.value, self._call.value)

    def observe(self, drafts: Sequence[Source], accepted: int, emitted: int, call_ms: float, draft_ms: float) -> None:
        """Records one call: where its drafts came from, how many were right, and its tokens.

        draft_ms is the time to make the drafts, call_ms the time to verify them.
        """
        for k, source in enumerate(drafts[: accepted + 1]):
            learned = self._rates[k] if source is None else self._looked[min(source, max(self._looked))]
            learned.see(float(k < accepted))
        made = sum(source is None for source in drafts)
        if self._costs is not None:
            self._call.see(call_ms - len(drafts) * self._costs.row)
            self._pace.see((call_ms + draft_ms) / emitted, emitted)
            if made:
                self._draft.see(draft_ms / made, made)


def decode_shallow(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    num_speculative_tokens: int | None = None,
    draft_budget: int | str = "auto",
    lookup: bool = False,
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Each call verifies the last drafts. Behind its last token, shallow slots draft the next ones in turn.

    Each slot is told the token before its own. draft_budget is the number of drafts per call, or "auto": as long as
    they pay on this machine. With lookup, a slot's draft may match an earlier place of the text. The tokens that
    followed there then become drafts too, as long as that pays.

    Raises ValueError without shallow slots.
    """
    longest = longest_of(model, num_speculative_tokens)
    run = Run(model, ids, noise, sampling, max_new_tokens, longest, details=details, resume=resume)
    return drive_shallow(run, model, draft_budget, lookup)


def longest_of(model: PTPModel, num_speculative_tokens: int | None) -> int:
    """The most drafts per call: as given, or what the shallow slots' window holds."""
    window = model.require_shallow().config.window
    return window if num_speculative_tokens is None else checked_window(num_speculative_tokens)


def drive_shallow(run: Run, model: PTPModel, draft_budget: int | str, lookup: bool = False) -> Iterator[DecodeStep]:
    """The loop of shallow slots around a depth that learns from each call."""
    measured = model.require_shallow().config.draft_run or DEFAULT_RUN
    costs = shallow_costs(model) if draft_budget == "auto" else None
    amount = run.max_drafts if draft_budget == "auto" else checked_budget(draft_budget)
    return _Shallow(run, DraftDepth(measured, run.max_drafts, amount, costs), lookup).steps()


def decode_shallow_lookup(*arguments: Any, **options: Any) -> Iterator[DecodeStep]:
    """decode_shallow with lookup."""
    return decode_shallow(*arguments, lookup=True, **options)


class _Shallow:
    """One run: its drafts, where they came from, what they took."""

    def __init__(self, run: Run, depth: DraftDepth, lookup: bool) -> None:
        self._run, self._depth, self._lookup = run, depth, lookup
        self._sources: list[Source] = []
        self._seconds = 0.0

    def steps(self) -> Iterator[DecodeStep]:
        sources, seconds = self._sources, self._seconds  # of the drafts that a step verifies
        is_first = True
        for step in drive(self._run, lambda drafts: [], self._propose):
            call = 1e3 * (step.seconds - self._seconds)
            if not is_first:  # it read the prompt
                self._depth.observe(sources, step.num_accepted, len(step.emitted), call, 1e3 * seconds)
            is_first = False
            sources, seconds = self._sources, self._seconds
            yield step

    @torch.inference_mode()
    def _propose(self) -> list[Draft]:
        """Drafts behind the run's text, as many as are worth their time."""
        start = time.perf_counter()
        run, model, depth = self._run, self._run.model, self._depth
        slots = model.require_shallow()
        first = run.num_emitted
        noise = run.noise.values(first, first + min(depth.longest, run.remaining - 1))
        drafts: list[Draft] = []
        self._sources = []
        size, ahead = longest_match(run.tokens, len(noise)) if self._lookup else (0, [])
        leads = bool(ahead) and depth.lookup_leads(size)
        drafting, token, by_slots = None, run.tokens[-1], True
        while len(drafts) < len(noise) and not (drafts and drafts[-1].token in model.eos_tokens):
            k, u, sure = len(drafts), noise[len(drafts)], [d.prob for d in drafts]
            if (drafts or leads) and len(ahead) > k and depth.lookup_pays(sure, size + k):
                token, prob, margin, by_slots = ahead[k], depth.looked_rate(size + k), 1.0, False
            elif by_slots and depth.pays(sure):
                drafting = drafting or run.drafting(noise)
                ((column, prob, margin),) = read_slots(drafting.next(token), [u], run.sampling, slots.config.reads_u)
                token, prob = int(slots.vocabulary[column]), calibrated(prob, margin, slots.config.confidence)
                ahead = ahead if ahead[k : k + 1] == [token] else []  # what disagrees is no guide any more
            else:
                break
            self._sources.append(None if by_slots else size + k)
            drafts.append(Draft(token, model.label(token), u, prob, margin, "pending"))
        self._seconds = time.perf_counter() - start
        return drafts
