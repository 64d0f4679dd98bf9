"""What the Learn page asks of the server: data by name, and a training of the toy world's slots, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from app.serving.values import Event
from ptp_core.toys.word_pairs import VARIANTS, ToyConfig, ToyStep, run_toy

from .data import SOURCES, learn_data

STEPS, EVERY, SIDE = 300, 10, 40
MOST_SECONDS = 60.0
MAX_SEED = 9999


def fetch_learn(name: str) -> str:
    """The data of a figure as JSON; ValueError for a name that no figure has."""
    if name not in SOURCES:
        raise ValueError(f"The Learn page has no data named {name!r}.")
    return learn_data(name)


def measured(step: ToyStep) -> dict[str, Any]:
    """One measurement of a toy run as the page shows it: figures, and the square as one string of letters."""
    return {
        "step": step.step,
        "loss": round(step.loss, 4),
        "distance": round(step.total_variation, 4),
        "invalid": round(step.invalid, 4),
        "square": "".join(chr(49 + pair) for row in step.square or [] for pair in row),
    }


def train(variant: Any, seed: Any, clock: Any = time.monotonic) -> Iterator[Event]:
    """Trains the lab's own slots on the toy world: an event for each measurement, and one at the end with a sentence.

    A run takes MOST_SECONDS at most. A variant or a seed that cannot be used gives the sentence alone.
    """
    if variant not in VARIANTS:
        yield {"kind": "done", "text": f"The server can train {', '.join(VARIANTS)}, not {str(variant)[:40]!r}."}
        return
    if isinstance(seed, bool) or not isinstance(seed, (int, float)) or seed != int(seed) or not 0 <= seed <= MAX_SEED:
        yield {"kind": "done", "text": f"The seed is a whole number from 0 to {MAX_SEED:,}."}
        return
    start = clock()
    yield {"kind": "start", "variant": variant, "steps": STEPS}
    config = ToyConfig(variant, steps=STEPS, measure_every=EVERY, seed=int(seed), square=SIDE)
    for step in run_toy(config):
        told = {"variant": variant, "steps": STEPS, "reached": step.step / STEPS}
        yield {"kind": "step", **told, "step": measured(step)}
        if step.step < STEPS and clock() - start > MOST_SECONDS:
            seconds = round(clock() - start)
            yield {"kind": "done", "text": f"Stopped after {seconds} seconds, at step {step.step} of {STEPS}."}
            return
    yield {"kind": "done", "text": f"Done: {STEPS} steps in {clock() - start:.0f} seconds."}
