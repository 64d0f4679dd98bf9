"""The loop that drives every decoder, and the settings that decoders share."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from .cost import MAX_SLOTS
from .model import PTPModel
from .run import Run
from .trace import DecodeStep, Draft

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


def window_of(model: PTPModel, num_speculative_tokens: int | None) -> int:
    """The most drafts per call: as given, or what the adapter's window holds."""
    if num_speculative_tokens is None:
        return model.require_adapter().max_drafts
    return checked_window(num_speculative_tokens)


def checked_window(value: int) -> int:
    """The most drafts per call; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 64:
        raise ValueError(f"num_speculative_tokens must lie between 0 and 64, got {value!r}.")
    return value


def checked_budget(value: int | str) -> int:
    """The number of slots per call; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SLOTS:
        raise ValueError(f'draft_budget is "auto" or a whole number between 0 and {MAX_SLOTS}, got {value!r}.')
    return value
