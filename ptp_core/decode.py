"""Decoding: autoregressive, and in parallel with exactly the same text.

Every decoder is a generator of DecodeStep, one per model call, and the same loop drives them all.
They differ in two things only: how many u-slots a call carries, and where its drafts come from.

    method          a call carries                               drafts
    ar              the last token                               none
    ptp             slots, then drafts to verify, in turn        argmax at slots that read u (or Pick)
    pqd             drafts to verify and slots for the next      the same, from the branch that came true
    independent     as pqd, slots without u                      Pick from the slots' marginals
    shallow         drafts to verify                             shallow slots, after each call (shallow.py)
    shallow_lookup  drafts to verify                             shallow slots, then what followed the same words before
    prompt_lookup   drafts to verify                             what followed these words before

Since each token is Pick(u, P), with P the frozen target's distribution, all of them give the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .budget import DraftBudget
from .cost import cost_curve
from .drive import checked_budget, drive, window_of
from .lookup import decode_prompt_lookup
from .model import PTPModel
from .noise import NoiseTape
from .run import START, Resume, Run
from .sampling import SamplingConfig
from .shallow_decode import decode_shallow, decode_shallow_lookup
from .trace import SCHEMA_VERSION, DecodeStep, Draft, Trace

METHODS = ("ar", "ptp", "pqd", "shallow", "shallow_lookup", "independent", "prompt_lookup")
DEFAULT_RUN = (0.4, 0.2, 0.1, 0.05)  # P(N >= k) where an adapter brings no measurement of its own


def decode_ar(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Autoregressive decoding: one token per call. The baseline, on the same kernels as the others."""
    run = Run(model, ids, noise, sampling, max_new_tokens, 0, details=details, resume=resume)
    return drive(run, lambda drafts: [])


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
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """As decode_pqd, but the slots do not see u: drafts are Pick(u, marginal), or with a chain head Pick(u, P given
    the drafts before). The baseline that PTP is compared with; fair only with an adapter that was trained
    u-blind (notes_on says so). chained=False predicts each token independently, as in the paper.

    Raises ValueError without an adapter.
    """
    model.require_adapter()
    window = window_of(model, num_speculative_tokens)
    run = Run(
        model, ids, noise, sampling, max_new_tokens, window, reads_u=False, chained=chained, details=details,
        resume=resume,
    )  # fmt: skip
    return drive_in_branches(run, model, draft_budget, chained)


def drive_in_branches(run: Run, model: PTPModel, draft_budget: int | str, chained: bool = True) -> Iterator[DecodeStep]:
    """PQD's loop around a budget that learns from each call."""
    curve = cost_curve(model) if draft_budget == "auto" else None
    measured, after_rejection = allocator_runs(model, chained)
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


def allocator_runs(model: PTPModel, chained: bool = True) -> tuple[Sequence[float], Sequence[float]]:
    """P(N >= k) that the allocator plans with, behind right drafts and behind a rejection."""
    known = model.require_adapter().figures(chained)
    measured = known.draft_run or DEFAULT_RUN
    return measured, known.draft_run_rejected or measured


DECODERS: dict[str, Callable[..., Iterator[DecodeStep]]] = {
    "ar": decode_ar,
    "ptp": decode_ptp,
    "pqd": decode_pqd,
    "shallow": decode_shallow,
    "shallow_lookup": decode_shallow_lookup,
    "independent": decode_independent,
    "prompt_lookup": decode_prompt_lookup,
}


_UNKNOWN_OPTIONS = {
    "ar": {"num_speculative_tokens", "draft_budget", "chained"},
    "shallow": {"chained"},
    "shallow_lookup": {"chained"},
    "prompt_lookup": {"draft_budget", "chained"},
}


def start_decoding(
    model: PTPModel, ids: Sequence[int], method: str, noise: NoiseTape, sampling: SamplingConfig, **options: Any
) -> Iterator[DecodeStep]:
    """The decoder called `method`, with those of the options that it knows; ValueError for an unknown method."""
    if method not in DECODERS:
        raise ValueError(f"Unknown method {method!r}; methods: {', '.join(METHODS)}.")
    unknown = _UNKNOWN_OPTIONS.get(method, set())
    return DECODERS[method](model, ids, noise, sampling, **{k: v for k, v in options.items() if k not in unknown})


def notes_on(model: PTPModel, method: str, sampling: SamplingConfig) -> list[str]:
    """What a reader of a trace of this combination must know."""
    notes = list(model.notes)
    if model.adapter and method not in ("ar", "prompt_lookup") and model.adapter.order != sampling.order:
        notes.append(
            f"The adapter was trained with the CDF in order of {model.adapter.order}; this run uses {sampling.order}, "
            "so its drafts are mostly wrong. The text is exact all the same."
        )
    if model.adapter and method == "independent" and model.adapter.reads_u:
        notes.append("The adapter was trained to read u: its marginals without u are weaker than a u-blind adapter's.")
    return notes


def new_trace(
    model: PTPModel,
    ids: Sequence[int],
    method: str,
    noise: NoiseTape,
    sampling: SamplingConfig,
    prompt: str,
    steps: list[DecodeStep],
    chained: bool = True,
) -> Trace:
    """A trace of steps that were decoded with these arguments."""
    return Trace(
        schema_version=SCHEMA_VERSION,
        model=model.name,
        adapter=model.adapter.name if model.adapter else None,
        device=model.device.type,
        dtype=str(model.dtype).removeprefix("torch."),
        prompt=prompt,
        prompt_tokens=list(ids),
        sampling=sampling,
        noise=noise,
        method=method,
        steps=steps,
        notes=notes_on(model, method, sampling),
        chained=chained,
    )


def generate(
    model: PTPModel,
    ids: Sequence[int],
    method: str = "pqd",
    noise: NoiseTape | None = None,
    sampling: SamplingConfig | None = None,
    *,
    prompt: str | None = None,
    **options: Any,
) -> Trace:
    """Decodes to the end and returns the trace. Options: max_new_tokens, num_speculative_tokens,
    draft_budget, chained, details (see the decoders). `prompt` is the text that the trace shows."""
    noise, sampling = noise or NoiseTape(0), sampling or SamplingConfig()
    steps = list(start_decoding(model, ids, method, noise, sampling, **options))
    shown = model.decode(ids) if prompt is None else prompt
    return new_trace(model, ids, method, noise, sampling, shown, steps, options.get("chained", True))
