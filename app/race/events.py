"""Running a race: from checked settings to the small events that the page draws."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from app.serving.gpu import gpu_seconds, on_gpu
from app.serving.models import ModelChoice, ModelShelf, model_for
from app.serving.values import REFUSALS, Event, error_event
from app.settings import MAX_PROMPT_TOKENS, RunSettings
from ptp_core import NoiseTape, SamplingConfig
from ptp_core.decoding.decode import new_trace, start_decoding
from ptp_core.model.ptp_model import PTPModel
from ptp_core.speedup import STRETCH
from ptp_core.trace import DecodeStep, Trace

from .races import BASELINE, LANES, PARALLEL, RUNS, Race
from .stand_ins import as_it_can, why
from .view import meta_view, steps_view, summary_view

_UPDATE_SECONDS = 0.12  # Gradio merges updates that come faster

Part = Trace | DecodeStep


class RaceRunner:
    """Runs races with the models of one shelf."""

    def __init__(self, shelf: ModelShelf) -> None:
        self.shelf = shelf
        self.decode = on_gpu(decode_seconds)(self._decode)

    def run(self, choice: ModelChoice, raw: Mapping[str, Any]) -> Iterator[Event]:
        """Everything between a click on Run and the end of the race, as small events; errors are events too.

        start | loading (share, text) | steps (run, lane, chunk, summary) | done (run, summary) | error (message)
        """
        try:
            settings = RunSettings.parse(**raw)
            choice, text = model_for(choice, settings.model), settings.query()
            query = text if choice in (ModelChoice(), ModelChoice(settings.model)) else None  # no link leads elsewhere
            yield {"event": "start", "query": query, "text": text, "tokens": settings.decoding.max_new_tokens}
            yield from self.shelf.loading_events(choice)
            prepare(self.shelf.get(choice), settings)  # says what is wrong before a GPU is asked for
            race = Race(query=query, limit=settings.decoding.max_new_tokens)
            run = RUNS.add(race)
            yield from lane_events(run, race, self.steps(choice, settings, race))
            yield {"event": "done", "run": run, "meta": meta_view(race), "summary": summary_view(race)}
        except REFUSALS as error:
            yield error_event(error)

    def steps(self, choice: ModelChoice, settings: RunSettings, race: Race) -> Iterator[tuple[str, DecodeStep]]:
        """Decodes both lanes in turns on the same noise into `race`; yields (lane, step)."""
        model = self.shelf.get(choice)
        lanes = (replace(settings, method=BASELINE), as_it_can(model, settings))
        notes = {PARALLEL: why(model, settings.method)}
        return into(race, ((LANES[i], part) for i, part in self.decode(choice, lanes)), notes)

    def _decode(self, choice: ModelChoice, lanes: Sequence[RunSettings]) -> Iterator[tuple[int, Part]]:
        """Decodes the runs in turns; yields (which, its trace without steps), later (which, step).

        On a ZeroGPU Space this runs in a process of its own: all that goes in and comes out is copied.
        """
        model = self.shelf.get(choice)
        ids, *_ = prepare(model, lanes[0])  # rendered once for all lanes: a chat template may hold a clock
        runs = [decode_lane(model, settings, ids) for settings in lanes]
        for i, (trace, _) in enumerate(runs):
            yield i, trace
        yield from in_turns([steps for _, steps in runs])


def in_turns(lanes: Sequence[Iterator[DecodeStep]]) -> Iterator[tuple[int, DecodeStep]]:
    """Decodes the lanes in stretches of a few tokens, so that a change of the machine's speed hits them alike.

    The order changes from round to round: a slow drift then cancels out. Yields (which, step).
    """
    running, done, goal = dict(enumerate(lanes)), [0] * len(lanes), 0
    while running:
        goal += STRETCH
        for i in sorted(running, reverse=(goal // STRETCH) % 2 == 0):
            while done[i] < goal and i in running:
                step = next(running[i], None)
                if step is None:
                    del running[i]
                else:
                    done[i] += len(step.emitted)
                    yield i, step


def decode_seconds(choice: ModelChoice, lanes: Sequence[RunSettings]) -> int:
    """The GPU time of RaceRunner.decode."""
    return gpu_seconds(sum(settings.decoding.max_new_tokens for settings in lanes))


def prepare(
    model: PTPModel, settings: RunSettings, known: Sequence[int] | None = None
) -> tuple[list[int], NoiseTape, SamplingConfig]:
    """Prompt tokens, noise and sampling of a run; ValueError if the prompt is too long for this lab or the model.

    known: the prompt's tokens, where they are known already.
    """
    ids = model.encode(settings.prompt, chat=settings.chat) if known is None else list(known)
    answer = settings.decoding.max_new_tokens
    limit = min(MAX_PROMPT_TOKENS, model.max_context - answer)
    if limit < 1:
        raise ValueError(
            f"{model.name} reads {model.max_context:,} tokens at most, its answer included. "
            f"Ask for fewer than {answer}."
        )
    if len(ids) > limit:
        raise ValueError(
            f"The prompt has {len(ids):,} tokens; with {answer} tokens of answer this lab takes "
            f"{limit:,}. Your text is still in the box."
        )
    order = model.adapter.order if model.adapter else "probability"
    return ids, NoiseTape(settings.seed), replace(settings.sampling, order=order)


def decode_lane(model: PTPModel, settings: RunSettings, known: Sequence[int]) -> tuple[Trace, Iterator[DecodeStep]]:
    """A trace without steps and the generator of the steps that belong into it; known: the prompt's tokens."""
    ids, noise, sampling = prepare(model, settings, known)
    told = (model, ids, settings.method, noise, sampling)
    return new_trace(*told, settings.prompt, [], settings.decoding), start_decoding(*told, settings.decoding)


def into(
    race: Race, parts: Iterator[tuple[str, Part]], notes: Mapping[str, list[str]] = MappingProxyType({})
) -> Iterator[tuple[str, DecodeStep]]:
    """Puts each lane's trace and steps into `race`; yields (lane, step). notes: more of them, by lane."""
    for lane, part in parts:
        if isinstance(part, Trace):
            part.notes.extend(notes.get(lane, []))
            race.lanes[lane] = part
        else:
            race.lanes[lane].steps.append(part)
            yield lane, part


def lane_events(run: str, race: Race, steps: Iterator[tuple[str, DecodeStep]]) -> Iterator[Event]:
    """Bundles steps so that updates are few and small."""
    sent = dict.fromkeys(LANES, 0)
    current, last = LANES[0], 0.0

    def bundle(lane: str) -> Event:
        known = race.steps(lane)
        chunk = {"start": sent[lane], "steps": steps_view(known[sent[lane] :]), "total": len(known)}
        sent[lane] = len(known)
        told = {"meta": meta_view(race), "summary": summary_view(race)}
        return {"event": "steps", "run": run, "lane": lane, "chunk": chunk, "reached": race.reached, **told}

    for lane, _ in steps:
        if lane != current:
            yield bundle(current)
            current = lane
        if time.monotonic() - last >= _UPDATE_SECONDS:
            last = time.monotonic()
            yield bundle(lane)
    yield bundle(current)
