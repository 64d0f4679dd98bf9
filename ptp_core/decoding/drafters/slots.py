"""Drafts from u-slots: in turns (ptp), or in branches while verifying (pqd, independent)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...model.ptp_model import PTPModel
from ...noise import NoiseTape
from ...sampling import SamplingConfig
from ...trace import DecodeStep, Draft
from ..measure_costs import cost_curve
from ..session import START, Resume, Run, drive
from ..settings import checked_budget, window_of
from .slot_budget import DraftBudget

DEFAULT_RUN = (0.4, 0.2, 0.1, 0.05)  # P(N >= k) where an adapter brings no measurement of its own


def decode_ptp(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    num_speculative_tokens: int | None = None,
    draft_budget: int | str = "auto",
    chained: bool = True,
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Draft call, verify call, in turn. A draft call also settles the token behind its context.
    chained=False leaves an adapter's chain head aside: the slots' own drafts, as in the paper.

    Raises ValueError without an adapter.
    """
    window = window_of(model, num_speculative_tokens)
    run = Run(
        model, ids, noise, sampling, max_new_tokens, window, chained=chained, details=details, resume=resume
    )  # fmt: skip
    cap = run.max_drafts + run.num_settled if draft_budget == "auto" else checked_budget(draft_budget)
    return drive(run, lambda drafts: [0] if drafts else [min(cap, run.slot_limits(0)[0])])


def decode_pqd(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    num_speculative_tokens: int | None = None,
    draft_budget: int | str = "auto",
    chained: bool = True,
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Partial quadratic decoding: each call verifies the last drafts and prepares the next ones, one
    branch per outcome. draft_budget = slots per call, or "auto": what pays on this machine. chained=False
    leaves an adapter's chain head aside: the slots' own drafts, as in the paper.

    Raises ValueError without an adapter.
    """
    model.require_adapter()
    window = window_of(model, num_speculative_tokens)
    run = Run(
        model, ids, noise, sampling, max_new_tokens, window, chained=chained, details=details, resume=resume
    )  # fmt: skip
    return drive_in_branches(run, model, draft_budget, chained)


def decode_independent(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    num_speculative_tokens: int | None = None,
    draft_budget: int | str = "auto",
    chained: bool = True,
    draft_rule: str = "argmax",
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """As decode_pqd, but the slots do not see u. The baseline that PTP is compared with.

    A draft is the slot's likeliest token. With draft_rule="pick" it is Pick(u, the slot's distribution).
    Behind a chain head each slot's distribution knows the drafts before. chained=False predicts every token
    independently, as in the paper. The comparison is fair only with an adapter that was trained without u
    (notes_on says so).

    Raises ValueError without an adapter.
    """
    model.require_adapter()
    window = window_of(model, num_speculative_tokens)
    run = Run(
        model, ids, noise, sampling, max_new_tokens, window, reads_u=False, chained=chained,
        draft_rule=draft_rule, details=details, resume=resume,
    )  # fmt: skip
    return drive_in_branches(run, model, draft_budget, chained)


def drive_in_branches(run: Run, model: PTPModel, draft_budget: int | str, chained: bool = True) -> Iterator[DecodeStep]:
    """PQD's loop around a budget that learns from each call."""
    curve = cost_curve(model) if draft_budget == "auto" else None
    measured, after_rejection = allocator_runs(model, chained, run.draft_rule)
    longest = run.max_drafts + run.num_settled
    amount = draft_budget if draft_budget == "auto" else checked_budget(draft_budget)
    budget = DraftBudget(measured, after_rejection, run.num_settled, longest, amount, curve)

    def plan(drafts: Sequence[Draft]) -> list[int]:
        return budget.plan([d.prob for d in drafts], run.slot_limits(len(drafts)))

    def steps() -> Iterator[DecodeStep]:
        was_clean = is_first = True
        for step in drive(run, plan):
            expected = sum((measured if was_clean else after_rejection)[: len(step.drafts)])
            was_clean = step.num_accepted == len(step.drafts)
            # the prompt's rows are nobody's choice
            positions, ms = (1, None) if is_first else (step.num_positions, 1e3 * step.seconds)
            is_first = False
            budget.observe(expected, step.num_accepted, positions, len(step.emitted), ms)
            yield step

    return steps()


def allocator_runs(
    model: PTPModel, chained: bool = True, draft_rule: str = "argmax"
) -> tuple[Sequence[float], Sequence[float]]:
    """P(N >= k) that the allocator plans with, behind right drafts and behind a rejection."""
    known = model.require_adapter().figures(chained, draft_rule)
    measured = known.draft_run or DEFAULT_RUN
    return measured, known.draft_run_rejected or measured
