"""Decoding: autoregressive, and in parallel with exactly the same text.

Every decoder is a generator of DecodeStep, one per model call, and the same loop drives them all.
They differ in two things only: how many u-slots a call carries, and where its drafts come from (methods.py).
Since each token is Pick(u, P), with P the frozen target's distribution, all of them give the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

from ..coupling import coupling_of
from ..methods import PAPER_METHOD, TABLE, method_called
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from ..trace import SCHEMA_VERSION, DecodeStep, Trace
from .drafters import DRAFTERS, drive
from .session import START, Resume, Session
from .settings import DecodeOptions, DecodeSettings


def start_decoding(
    model: PTPModel,
    ids: Sequence[int],
    method: str,
    noise: NoiseTape,
    sampling: SamplingConfig,
    settings: DecodeSettings | None = None,
    *,
    resume: Resume = START,
    **options: Unpack[DecodeOptions],
) -> Iterator[DecodeStep]:
    """The steps of a run, one at a time. Settings are given whole, or as keywords of the same names.

    Raises ValueError for an unknown method, and where model, prompt or settings do not allow it.
    """
    method_called(method)
    settings = settings or DecodeSettings(**options)
    drafter = DRAFTERS[method](model, settings, sampling)
    return drive(Session(model, ids, noise, sampling, settings, drafter.max_drafts, drafter.slots, resume), drafter)


def notes_on(model: PTPModel, method: str, sampling: SamplingConfig) -> list[str]:
    """What a reader of a trace of this combination must know."""
    notes = list(model.notes)
    told = coupling_of(sampling).one_number
    if model.adapter and TABLE[method].needs_adapter and told and model.adapter.order != sampling.order:
        notes.append(
            f"The adapter was trained with the CDF in order of {model.adapter.order}; this run uses {sampling.order}, "
            "so its drafts are mostly wrong. The text is exact all the same."
        )
    if model.adapter and TABLE[method].needs_adapter and model.adapter.reads_u:
        if not TABLE[method].sees_u:
            notes.append("This adapter was trained to read u. A u-blind adapter's drafts would be better here.")
        elif not told:
            notes.append(
                "This adapter was trained to read one u per token. In a race of clocks its slots are told no noise; "
                "their odds run the race. The text is exact all the same."
            )
    return notes


def new_trace(
    model: PTPModel,
    ids: Sequence[int],
    method: str,
    noise: NoiseTape,
    sampling: SamplingConfig,
    prompt: str,
    steps: list[DecodeStep],
    settings: DecodeSettings | None = None,
) -> Trace:
    """A trace of steps that were decoded with these arguments."""
    settings = settings or DecodeSettings()
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
        chained=settings.chained,
        draft_rule=settings.draft_rule,
    )


def generate(
    model: PTPModel,
    ids: Sequence[int],
    method: str = PAPER_METHOD,
    noise: NoiseTape | None = None,
    sampling: SamplingConfig | None = None,
    *,
    prompt: str | None = None,
    settings: DecodeSettings | None = None,
    **options: Unpack[DecodeOptions],
) -> Trace:
    """Decodes to the end and returns the trace. `prompt` is the text that the trace shows.

    Settings are given whole, or as keywords: max_new_tokens, num_speculative_tokens, draft_budget, chained,
    draft_rule, details (DecodeSettings says what they are).
    """
    noise, sampling = noise or NoiseTape(0), sampling or SamplingConfig()
    settings = settings or DecodeSettings(**options)
    steps = list(start_decoding(model, ids, method, noise, sampling, settings))
    shown = model.decode(ids) if prompt is None else prompt
    return new_trace(model, ids, method, noise, sampling, shown, steps, settings)


def decode_ar(
    model: PTPModel, ids: Sequence[int], noise: NoiseTape, sampling: SamplingConfig, *, resume: Resume = START,
    **options: Unpack[DecodeOptions],
) -> Iterator[DecodeStep]:  # fmt: skip
    """Autoregressive decoding: one token per call. The baseline, on the same kernels as the others."""
    return start_decoding(model, ids, "ar", noise, sampling, resume=resume, **options)


def decode_ptp(
    model: PTPModel, ids: Sequence[int], noise: NoiseTape, sampling: SamplingConfig, *, resume: Resume = START,
    **options: Unpack[DecodeOptions],
) -> Iterator[DecodeStep]:  # fmt: skip
    """Draft call, verify call, in turn. ValueError without an adapter."""
    return start_decoding(model, ids, "ptp", noise, sampling, resume=resume, **options)


def decode_pqd(
    model: PTPModel, ids: Sequence[int], noise: NoiseTape, sampling: SamplingConfig, *, resume: Resume = START,
    **options: Unpack[DecodeOptions],
) -> Iterator[DecodeStep]:  # fmt: skip
    """Partial quadratic decoding: each call verifies the last drafts and prepares the next ones, one branch per
    outcome. ValueError without an adapter."""
    return start_decoding(model, ids, "pqd", noise, sampling, resume=resume, **options)


def decode_independent(
    model: PTPModel, ids: Sequence[int], noise: NoiseTape, sampling: SamplingConfig, *, resume: Resume = START,
    **options: Unpack[DecodeOptions],
) -> Iterator[DecodeStep]:  # fmt: skip
    """As decode_pqd, but the slots do not see u. The baseline that PTP is compared with.

    A draft is the slot's likeliest token. With draft_rule="pick" it is Pick(u, the slot's distribution).
    chained=False predicts every token independently, as in the paper. ValueError without an adapter.
    """
    return start_decoding(model, ids, "independent", noise, sampling, resume=resume, **options)


def decode_prompt_lookup(
    model: PTPModel, ids: Sequence[int], noise: NoiseTape, sampling: SamplingConfig, *, resume: Resume = START,
    **options: Unpack[DecodeOptions],
) -> Iterator[DecodeStep]:  # fmt: skip
    """Drafts what followed the last occurrence of the text's last words. No model drafts anything."""
    return start_decoding(model, ids, "prompt_lookup", noise, sampling, resume=resume, **options)
