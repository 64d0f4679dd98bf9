"""Decoding with shallow slots: a call verifies, then they draft, one after another, for as long as it pays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import torch

from .branches import calibrated
from .cost import ShallowCosts, shallow_costs
from .drafts import read_slots
from .drive import checked_budget, checked_window, drive
from .model import PTPModel
from .noise import NoiseTape
from .run import START, Resume, Run
from .sampling import SamplingConfig
from .trace import DecodeStep, Draft

DEFAULT_RUN = (0.4, 0.2, 0.1, 0.05)  # P(N >= k) where shallow slots bring no measurement of their own
_PRIOR_TRIES = 8.0  # how many drafts of experience these figures count for


class DraftDepth:
    """Decides draft by draft whether another one pays, and learns from what came true.

    A fixed budget makes that many drafts. With measured costs, a draft is made while the token that it may bring is
    worth more time than making it and its row of the next call take.
    """

    def __init__(self, run: Sequence[float], longest: int, budget: int, costs: ShallowCosts | None) -> None:
        self.longest = min(longest, budget) if costs is None else longest
        self._costs = costs
        run = [min(max(p, 1e-6), 1.0) for p in run] or [1e-6]
        rates = [run[0], *(min(b / a, 1.0) for a, b in itertools.pairwise(run))]
        self._rates = [rates[min(k, len(rates) - 1)] for k in range(max(self.longest, 1))]
        self._right = [0.0] * len(self._rates)
        self._tried = [0.0] * len(self._rates)
        self._milliseconds = self._tokens = 0.0

    def pays(self, confidences: Sequence[float]) -> bool:
        """Whether one more draft behind drafts with these confidences pays."""
        count = len(confidences)
        if count >= self.longest:
            return False
        if self._costs is None:
            return True
        gain = math.prod(confidences) * self.rate(count) * self._token_value()
        return gain > self._costs.draft + self._costs.row

    def rate(self, k: int) -> float:
        """Share of right drafts k, from 0, behind right ones: as measured, then more and more as in this run."""
        return (self._right[k] + _PRIOR_TRIES * self._rates[k]) / (self._tried[k] + _PRIOR_TRIES)

    def _token_value(self) -> float:
        """Milliseconds that one more token saves: what a token costs at the pace of this run."""
        assert self._costs is not None
        total = self._milliseconds + _PRIOR_TRIES * self._costs.call
        return min(total / (self._tokens + _PRIOR_TRIES * (1 + self._rates[0])), self._costs.call)

    def observe(self, drafts: int, accepted: int, emitted: int) -> None:
        """Records one call: its drafts, how many were right, its tokens."""
        for k in range(min(drafts, accepted + 1)):
            self._tried[k] += 1
            self._right[k] += k < accepted
        self._tokens += emitted
        if self._costs is not None:
            self._milliseconds += self._costs.call + drafts * (self._costs.draft + self._costs.row)


def decode_shallow(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    num_speculative_tokens: int | None = None,
    draft_budget: int | str = "auto",
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Each call verifies the last drafts; behind its last token shallow slots draft the next ones, each told the one
    before. draft_budget = drafts per call, or "auto": as long as they pay on this machine.

    Raises ValueError without shallow slots.
    """
    slots = model.require_shallow().config
    longest = slots.window if num_speculative_tokens is None else checked_window(num_speculative_tokens)
    costs = shallow_costs(model) if draft_budget == "auto" else None
    amount = longest if draft_budget == "auto" else checked_budget(draft_budget)
    depth = DraftDepth(slots.draft_run or DEFAULT_RUN, longest, amount, costs)
    run = Run(model, ids, noise, sampling, max_new_tokens, longest, details=details, resume=resume)

    def steps() -> Iterator[DecodeStep]:
        for step in drive(run, lambda drafts: [], lambda: propose_shallow(run, depth)):
            depth.observe(len(step.drafts), step.num_accepted, len(step.emitted))
            yield step

    return steps()


@torch.inference_mode()
def propose_shallow(run: Run, depth: DraftDepth) -> list[Draft]:
    """Drafts behind the run's text, as many as `depth` finds worth their time."""
    model, sampling, first = run.model, run.sampling, run.num_emitted
    slots = model.require_shallow()
    vocabulary, config = slots.vocabulary, slots.config
    noise = run.noise.values(first, first + min(depth.longest, run.remaining - 1))
    if not noise or not depth.pays([]):
        return []
    drafting, token = run.drafting(noise), run.tokens[-1]
    drafts: list[Draft] = []
    while len(drafts) < len(noise) and depth.pays([d.prob for d in drafts]):
        u = noise[len(drafts)]
        ((column, prob, margin),) = read_slots(drafting.next(token), [u], sampling, config.reads_u)
        token = int(vocabulary[column])
        sure = calibrated(prob, margin, config.confidence)
        drafts.append(Draft(token, model.label(token), u, sure, margin, "pending"))
        if token in model.eos_tokens:
            break
    return drafts
