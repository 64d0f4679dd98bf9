"""What if: a text decoded anew from the first noise that was changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..coupling import coupling_of
from ..decoding.decode import new_trace, start_decoding
from ..decoding.session import Resume
from ..decoding.settings import DecodeSettings
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..trace import DecodeStep, Trace
from .contexts import Contexts
from .position import check

# ---- what if ---------------------------------------------------------------------------------------------


def kept_steps(trace: Trace, position: int) -> list[DecodeStep]:
    """The calls whose tokens all stand before `position`."""
    kept, count = [], 0
    for step in trace.steps:
        count += len(step.emitted)
        if count > position:
            break
        kept.append(step)
    return kept


def redecode_steps(
    model: PTPModel,
    trace: Trace,
    noise: NoiseTape,
    contexts: Contexts | None = None,
    *,
    max_new_tokens: int | None = None,
    **options: Any,
) -> tuple[Trace, Iterator[DecodeStep]]:
    """The trace on another tape, and a generator of its further calls.

    The trace has only the calls before the first u that differs; the generator yields the calls that follow. The text
    before is read at most once for all who share `contexts`. max_new_tokens counts the whole text, by default the
    trace's length. options are those of generate(). Raises ValueError for another model's trace.
    """
    check(model, trace, 0)
    length = len(trace.tokens)
    same = coupling_of(trace.sampling).same
    position = next((i for i in range(length) if not same(trace.noise, noise, i)), length)
    kept = kept_steps(trace, position)
    tokens = [token.token for step in kept for token in step.emitted]
    cache, shared = (contexts or Contexts()).filled(model, [*trace.prompt_tokens, *tokens][:-1])
    asked = {"chained": trace.chained, "draft_rule": trace.draft_rule, **options}
    settings = DecodeSettings(max_new_tokens or length, **asked)
    fresh = new_trace(
        model, trace.prompt_tokens, trace.method, noise, trace.sampling, trace.prompt, kept, settings
    )  # fmt: skip
    fresh.notes.append(
        f"Decoded anew from call {len(kept) + 1} on, after a text that was read already. The calls before are from the "
        "run on the earlier noise."
    )
    resume = Resume(tokens, len(kept), cache, shared)
    steps = start_decoding(
        model, trace.prompt_tokens, trace.method, noise, trace.sampling, settings, resume=resume
    )  # fmt: skip
    return fresh, steps


def what_if(
    model: PTPModel,
    trace: Trace,
    position: int,
    u: float,
    contexts: Contexts | None = None,
    *,
    token: int | None = None,
    **options: Any,
) -> Trace:
    """The trace with u at `position`, decoded anew from there: the text that the edited tape gives.

    In a race of clocks, u is the clock of `token`, by default of the text's own. Options as in redecode_steps. Raises
    ValueError for a u outside [0, 1), a position outside the text, and another model's trace.
    """
    check(model, trace, position)
    clock = trace.tokens[position] if token is None else token
    noise = coupling_of(trace.sampling).moved(trace.noise, position, clock, u)
    fresh, steps = redecode_steps(model, trace, noise, contexts, **options)
    fresh.steps.extend(steps)
    return fresh


def changed(a: Trace, b: Trace) -> list[int]:
    """The positions at which two texts differ, those that only one of them has included."""
    x, y = a.tokens, b.tokens
    shorter = min(len(x), len(y))
    return [i for i in range(max(len(x), len(y))) if i >= shorter or x[i] != y[i]]
