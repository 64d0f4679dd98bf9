"""The contract of drafters, their registry, and the loop that is the same for all of them.

A drafter of a new kind is a class in a file of its own, registered by @drafts(name). It has a row in methods.py and an
import in drafters/__init__.py. transformers' CandidateGenerator has the same two verbs: get_candidates proposes,
update_candidate_strategy observes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...model.ptp_model import PTPModel
from ...sampling import SamplingConfig
from ...trace import DecodeStep, Draft
from ..session import Session
from ..settings import DecodeSettings
from ..slots import SlotRule


@dataclass(frozen=True)
class Times:
    """Seconds of planning a call, of the call, and of drafting behind it."""

    plan: float
    call: float
    draft: float

    @property
    def total(self) -> float:
        return self.plan + self.call + self.draft


class Drafter:
    """Makes the drafts of one run. This one makes none; others override what they need.

    max_drafts   the most drafts that a call of this run verifies
    slots        how the slots in its calls draft; None for calls without slots
    """

    max_drafts = 0
    slots: SlotRule | None = None

    def __init__(self, model: PTPModel, settings: DecodeSettings, sampling: SamplingConfig) -> None:
        """ValueError where the model lacks what the drafter needs."""

    def plan(self, session: Session, drafts: Sequence[Draft]) -> Sequence[int]:
        """How many slots the next call prepares for each outcome m = 0, 1, ... of verifying these drafts."""
        return ()

    def propose(self, session: Session, kept: list[Draft]) -> list[Draft]:
        """The drafts that the next call verifies. `kept` are those of the branch that came true."""
        return kept

    def observe(self, step: DecodeStep, times: Times) -> None:
        """What a call did and how long it and the proposal behind it took: drafters learn from it."""


DRAFTERS: dict[str, type[Drafter]] = {}


def drafts(method: str) -> Callable[[type[Drafter]], type[Drafter]]:
    """Registers a class as the drafter of this method."""

    def register(kind: type[Drafter]) -> type[Drafter]:
        DRAFTERS[method] = kind
        return kind

    return register


def drive(session: Session, drafter: Drafter) -> Iterator[DecodeStep]:
    """The loop of every method: plan the slots, call the model, propose the next drafts, observe.

    A step's seconds hold all of it: who drafts by thinking pays for the thinking.
    """
    pending: list[Draft] = []
    while not session.done:
        start = time.perf_counter()
        session.laps.start()
        lengths = drafter.plan(session, pending)
        session.laps.lap("plan")
        planned = time.perf_counter() - start
        step, pending = session.call(pending, lengths)
        drafted = 0.0
        if not session.done:
            start = time.perf_counter()
            session.laps.start()
            pending = drafter.propose(session, pending)
            session.laps.lap("draft")
            drafted = time.perf_counter() - start
        times = Times(planned, step.seconds, drafted)
        drafter.observe(step, times)
        yield replace(step, seconds=times.total)
