"""Decoding: autoregressive, and in parallel with exactly the same text.

Every decoder is a generator of DecodeStep, one per model call, and the same loop drives them all.
They differ in two things only: how many u-slots a call carries, and where its drafts come from (methods.py).
Since each token is Pick(u, P), with P the frozen target's distribution, all of them give the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..methods import OPTIONS, TABLE, method_called
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from ..trace import SCHEMA_VERSION, DecodeStep, Trace
from .drafters import DECODERS


def start_decoding(
    model: PTPModel, ids: Sequence[int], method: str, noise: NoiseTape, sampling: SamplingConfig, **options: Any
) -> Iterator[DecodeStep]:
    """The decoder called `method`, with those of the options that it knows; ValueError for an unknown method."""
    known = method_called(method).options
    given = {name: value for name, value in options.items() if name in known or name not in OPTIONS}
    return DECODERS[method](model, ids, noise, sampling, **given)


def notes_on(model: PTPModel, method: str, sampling: SamplingConfig) -> list[str]:
    """What a reader of a trace of this combination must know."""
    notes = list(model.notes)
    if model.adapter and TABLE[method].needs_adapter and model.adapter.order != sampling.order:
        notes.append(
            f"The adapter was trained with the CDF in order of {model.adapter.order}; this run uses {sampling.order}, "
            "so its drafts are mostly wrong. The text is exact all the same."
        )
    if model.adapter and not TABLE[method].sees_u and model.adapter.reads_u:
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
    draft_rule: str = "argmax",
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
        draft_rule=draft_rule,
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
    draft_budget, chained, draft_rule, details (see the decoders). `prompt` is the text that the trace shows."""
    noise, sampling = noise or NoiseTape(0), sampling or SamplingConfig()
    steps = list(start_decoding(model, ids, method, noise, sampling, **options))
    shown = model.decode(ids) if prompt is None else prompt
    recorded = {name: options[name] for name in ("chained", "draft_rule") if name in options}
    return new_trace(model, ids, method, noise, sampling, shown, steps, **recorded)
