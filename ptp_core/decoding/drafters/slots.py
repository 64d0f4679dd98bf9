"""Drafts from u-slots: in turns (ptp), or in branches while verifying (pqd, independent)."""

from __future__ import annotations

from collections.abc import Sequence

from ...coupling import coupling_of
from ...model.ptp_model import PTPModel
from ...sampling import SamplingConfig
from ...trace import DecodeStep, Draft
from ..costs import DEFAULT_RUN
from ..engine_calls import engine_rows
from ..measure_costs import cost_curve
from ..session import Session
from ..settings import DecodeSettings, window_of
from ..slots import SlotRule
from .base import Drafter, Times, drafts
from .slot_budget import DraftBudget


class BySlots(Drafter):
    """What drafters by slots share. ValueError without an adapter."""

    sees_u = True

    def __init__(self, model: PTPModel, settings: DecodeSettings, sampling: SamplingConfig) -> None:
        self.num_settled = model.require_adapter().num_settled
        self.max_drafts = window_of(model, settings.num_speculative_tokens)
        self.slots = self._rule = SlotRule(self.sees_u, settings.chained, settings.draft_rule, settings.calibrated)

    @property
    def longest(self) -> int:
        """The most slots of a branch."""
        return self.max_drafts + self.num_settled

    def limits(self, session: Session, num_drafts: int) -> list[int]:
        """Most slots of branch m, for m = 0..num_drafts, that can still bring a token of the text."""
        useful = (min(self.max_drafts, session.remaining - m - 2) for m in range(num_drafts + 1))
        return [count + self.num_settled if count > 0 else 0 for count in useful]


@drafts("ptp")
class InTurns(BySlots):
    """A draft call, then a verify call. A draft call also settles the token behind its context."""

    def __init__(self, model: PTPModel, settings: DecodeSettings, sampling: SamplingConfig) -> None:
        super().__init__(model, settings, sampling)
        self._most = settings.slots(self.longest)

    def plan(self, session: Session, drafts: Sequence[Draft]) -> Sequence[int]:
        return () if drafts else (min(self._most, self.limits(session, 0)[0]),)


@drafts("pqd")
class InBranches(BySlots):
    """Partial quadratic decoding: each call verifies the last drafts and prepares the next, a branch per outcome."""

    def __init__(self, model: PTPModel, settings: DecodeSettings, sampling: SamplingConfig) -> None:
        super().__init__(model, settings, sampling)
        by_engine = model.engine is not None  # its calls have room for slots, whether there are any or not
        curve = cost_curve(model) if settings.is_auto and not by_engine else None
        budget = engine_rows(model, settings) if settings.is_auto and by_engine else settings.draft_budget
        rule = self._rule.kind(model.require_adapter(), coupling_of(sampling))
        self._runs = allocator_runs(model, settings.chained, rule)
        self._budget = DraftBudget(*self._runs, self.num_settled, self.longest, budget, curve)
        self._was_clean = self._is_first = True

    def plan(self, session: Session, drafts: Sequence[Draft]) -> Sequence[int]:
        return self._budget.plan([d.prob for d in drafts], self.limits(session, len(drafts)))

    def observe(self, step: DecodeStep, times: Times) -> None:
        behind_right, behind_wrong = self._runs
        expected = sum((behind_right if self._was_clean else behind_wrong)[: len(step.drafts)])
        self._was_clean = step.num_accepted == len(step.drafts)
        # the prompt's rows are nobody's choice
        positions, ms = (1, None) if self._is_first else (step.num_positions, 1e3 * (times.plan + times.call))
        self._is_first = False
        self._budget.observe(expected, step.num_accepted, positions, len(step.emitted), ms)


@drafts("independent")
class InBranchesWithoutU(InBranches):
    """The same with slots that do not see u: the baseline that PTP is compared with.

    The comparison is fair only with an adapter that was trained without u (decode.notes_on says so).
    """

    sees_u = False


def allocator_runs(
    model: PTPModel, chained: bool = True, draft_rule: str = "argmax"
) -> tuple[Sequence[float], Sequence[float]]:
    """P(N >= k) that the allocator plans with, behind right drafts and behind a rejection."""
    known = model.require_adapter().figures(chained, draft_rule)
    measured = known.draft_run or DEFAULT_RUN
    return measured, known.draft_run_rejected or measured
