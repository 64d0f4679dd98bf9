"""What the browser asks of the Race and Noise pages directly, without a model."""

from __future__ import annotations

from app.serving.store import Gone
from app.serving.values import Event, error_event
from app.settings import RunSettings

from .races import RUNS, Race
from .view import chunk_view, meta_view, summary_view


def open_run(run: str) -> Event:
    """The event that shows a race which is there already; the browser then asks for its steps."""
    try:
        race = RUNS.get(run)
    except Gone as error:
        return error_event(error)
    return {"event": "open", "run": run, "query": link_of(race), "meta": meta_view(race), "summary": summary_view(race)}


def fetch_steps(request: Event) -> Event:
    """Calls of a lane from request["start"] on, as a chunk with the race's summary as it is now, or
    {"error": sentence}."""
    try:
        race = RUNS.get(str(request["run"]))
        chunk = chunk_view(race.steps(str(request["lane"])), int(request["start"]))
        return {**chunk, "summary": summary_view(race)}
    except Gone as error:
        return {"error": str(error)}
    except (KeyError, TypeError, ValueError):
        return {"error": "The page asked for something that is not there. Reload it."}


def export_run(request: Event) -> Event:
    """The whole race as a file's content, or {"error": sentence}."""
    try:
        return {"race": RUNS.get(str(request.get("run"))).to_dict()}
    except Gone as error:
        return {"error": str(error)}


def open_file(request: Event) -> Event:
    """Opens an uploaded file's text as a race; the event to show it, or {"error": sentence}."""
    try:
        return open_run(RUNS.add(Race.from_text(str(request["text"]))))
    except (ValueError, KeyError, TypeError) as error:
        return {"error": str(error)}


def link_of(race: Race) -> str | None:
    """The query that runs this race again; None where no link can: an uploaded file, a model of one's own."""
    if race.origin == "recorded":
        return RunSettings(next(iter(race.lanes.values())).prompt).query()
    return race.query if race.origin == "live" else None
