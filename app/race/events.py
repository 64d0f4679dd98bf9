"""From what a visitor asks to what the views show: generators of view values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from app.serving.models import SHELF, ModelChoice, on_gpu
from app.serving.values import Event
from app.settings import MAX_PROMPT_TOKENS, RaceSettings, default_budget
from ptp_core import NoiseTape, SamplingConfig
from ptp_core.benchmark.config import SHALLOW
from ptp_core.decoding.decode import new_trace, start_decoding
from ptp_core.model.ptp_model import PTPModel
from ptp_core.trace import DecodeStep, Trace

from .races import LANES, RUNS, Race
from .view import chunk_view, meta_view, steps_view, summary_view

_UPDATE_SECONDS = 0.12  # Gradio merges updates that come faster
_GPU_SECONDS, _GPU_SECONDS_PER_TOKEN = 10, 0.12

Part = Trace | DecodeStep


def prepare(model: PTPModel, settings: RaceSettings) -> tuple[list[int], NoiseTape, SamplingConfig]:
    """Prompt tokens, noise and sampling of a run; ValueError if the prompt is too long for this lab or the model."""
    ids = model.encode(settings.prompt, chat=settings.chat)
    limit = min(MAX_PROMPT_TOKENS, model.max_context - settings.max_new_tokens)
    if len(ids) > limit:
        raise ValueError(
            f"The prompt has {len(ids):,} tokens; with {settings.max_new_tokens} tokens of answer this lab takes "
            f"{limit:,}. Your text is still in the box."
        )
    order = model.adapter.order if model.adapter else "probability"
    return ids, NoiseTape(settings.seed), settings.sampling(order)


def decode_lane(model: PTPModel, settings: RaceSettings, method: str) -> tuple[Trace, Iterator[DecodeStep]]:
    """A trace without steps and the generator of the steps that belong into it."""
    ids, noise, sampling = prepare(model, settings)
    # in place of shallow slots, which know when to stop
    stands_in = method != settings.method and settings.draft_budget == "auto"
    steps = start_decoding(
        model, ids, method, noise, sampling,
        max_new_tokens=settings.max_new_tokens,
        num_speculative_tokens=settings.num_speculative_tokens,
        draft_budget=default_budget(method) if stands_in else settings.draft_budget,
    )  # fmt: skip
    return new_trace(model, ids, method, noise, sampling, settings.prompt, []), steps


def gpu_seconds(choice: ModelChoice, settings: RaceSettings, methods: Sequence[str]) -> int:
    """What a visitor's quota is asked for: a generous time for so many tokens."""
    return int(_GPU_SECONDS + _GPU_SECONDS_PER_TOKEN * settings.max_new_tokens * len(methods))


@on_gpu(gpu_seconds)
def decode(choice: ModelChoice, settings: RaceSettings, methods: Sequence[str]) -> Iterator[tuple[int, Part]]:
    """Decodes by one method after the other; yields (which, its trace without steps), then (which, step).

    On a ZeroGPU Space this runs in a process of its own: all that goes in and comes out is copied.
    """
    model = SHELF.get(choice)
    for i, method in enumerate(methods):
        trace, steps = decode_lane(model, settings, method)
        yield i, trace
        for step in steps:
            yield i, step


def race_steps(choice: ModelChoice, settings: RaceSettings, race: Race) -> Iterator[tuple[str, DecodeStep]]:
    """Decodes both lanes, one after the other, into the race; yields (lane, step)."""
    for i, part in decode(choice, settings, ("ar", parallel_method(choice, settings))):
        lane = LANES[i]
        if isinstance(part, Trace):
            race.lanes[lane] = part
        else:
            race.lanes[lane].steps.append(part)
            yield lane, part


def parallel_method(choice: ModelChoice, settings: RaceSettings) -> str:
    """How the second lane decodes: without an adapter by prompt lookup, without shallow slots in branches."""
    model = SHELF.get(choice)
    if not model.adapter:
        return "prompt_lookup"
    return "pqd" if settings.method in SHALLOW and model.shallow is None else settings.method


# ---- events of the Race page ----------------------------------------------------------------------------


def run_race(choice: ModelChoice, **raw: Any) -> Iterator[Event]:
    """Everything between a click on Run and the end of the race, as small events; errors are events too.

    start | loading (share, text) | steps (run, lane, chunk, summary) | done (run, summary) | error (message)
    """
    try:
        settings = RaceSettings.parse(**raw)
        query = settings.query() if choice == ModelChoice() else None  # a link runs the default model
        yield {"event": "start", "query": query, "tokens": settings.max_new_tokens}
        for share, text in SHELF.loading(choice):
            yield {"event": "loading", "share": share, "text": text}
        model = SHELF.get(choice)
        prepare(model, settings)  # says what is wrong before a GPU is asked for
        race = Race(query=query, limit=settings.max_new_tokens)
        run = RUNS.add(race)
        yield from lane_events(run, race, race_steps(choice, settings, race))
        yield {"event": "done", "run": run, "meta": meta_view(race), "summary": summary_view(race)}
    except (ValueError, RuntimeError, FileNotFoundError, OSError) as error:
        yield {"event": "error", "message": str(error)}


def lane_events(run: str, race: Race, steps: Iterator[tuple[str, DecodeStep]]) -> Iterator[Event]:
    """Bundles steps so that updates are few and small."""
    sent = dict.fromkeys(LANES, 0)
    current, last = LANES[0], 0.0

    def bundle(lane: str) -> Event:
        known = race.steps(lane)
        chunk = {"start": sent[lane], "steps": steps_view(known[sent[lane] :]), "total": len(known)}
        sent[lane] = len(known)
        told = {"meta": meta_view(race), "summary": summary_view(race)}
        return {"event": "steps", "run": run, "lane": lane, "chunk": chunk, **told}

    for lane, _ in steps:
        if lane != current:
            yield bundle(current)
            current = lane
        if time.monotonic() - last >= _UPDATE_SECONDS:
            last = time.monotonic()
            yield bundle(lane)
    yield bundle(current)


def open_run(run: str) -> Event:
    """The event that shows a race which is there already; the browser then asks for its steps."""
    try:
        race = RUNS.get(run)
    except KeyError:
        return {"event": "error", "message": "This run is no longer in memory. Run it again, or upload its file."}
    return {"event": "open", "run": run, "query": link_of(race), "meta": meta_view(race), "summary": summary_view(race)}


# ---- what the browser asks for directly (no model work) ---------------------------------------------------


def fetch_steps(request: Event) -> Event:
    """Calls of a lane from request["start"] on, as a chunk with the race's summary as it is now, or
    {"error": sentence}."""
    try:
        race = RUNS.get(str(request["run"]))
        chunk = chunk_view(race.steps(str(request["lane"])), int(request["start"]))
        return {**chunk, "summary": summary_view(race)}
    except (KeyError, TypeError, ValueError):
        return {"error": "This run is no longer in memory. Run it again, or upload its file."}


def export_run(request: Event) -> Event:
    """The whole race as a file's content, or {"error": sentence}."""
    try:
        return {"race": RUNS.get(str(request["run"])).to_dict()}
    except (KeyError, TypeError):
        return {"error": "This run is no longer in memory. Run it again to download it."}


def open_file(request: Event) -> Event:
    """Opens an uploaded file's text as a race; the event to show it, or {"error": sentence}."""
    try:
        return open_run(RUNS.add(Race.from_text(str(request["text"]))))
    except (ValueError, KeyError, TypeError) as error:
        return {"error": str(error)}


def link_of(race: Race) -> str | None:
    """The query that runs this race again; None where no link can: an uploaded file, a model of one's own."""
    if race.origin == "recorded":
        return RaceSettings(next(iter(race.lanes.values())).prompt).query()
    return race.query if race.origin == "live" else None
