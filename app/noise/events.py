"""Events of the Noise page: a text on other noise, and maps from noise to tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from app.race.events import Part, into, lane_events
from app.race.races import LANES, RUNS, Race
from app.race.requests import open_run
from app.race.view import meta_view, summary_view
from app.serving.gpu import gpu_seconds, on_gpu
from app.serving.models import ModelChoice, ModelShelf, files_stamp, model_of
from app.serving.store import Store
from app.serving.values import REFUSALS, Event, error_event
from app.settings import MAX_NEW_TOKENS, RunSettings, default_budget
from ptp_core import NoiseTape, analysis
from ptp_core.maps.scan import Steps
from ptp_core.methods import METHODS
from ptp_core.trace import Trace

from .recordings import RUN, recorded_map, recorded_maps, telling_position
from .view import bins_view, race_view, square_view, staircase_view, sweep_view

SWEEP_LENGTH = 8
MAPS: Store[Any] = Store(400)  # by model and its files, run, kind and position
_MAP_CALLS = 100  # model calls of a map, at most about
_PLAIN = RunSettings.decoding


class NoiseRunner:
    """Decodes texts on edited noise and draws maps, with the models of one shelf."""

    def __init__(self, shelf: ModelShelf) -> None:
        self.shelf = shelf
        self.redecode = on_gpu(redecode_seconds)(self._redecode)
        self.compute = on_gpu(lambda *_: gpu_seconds(_MAP_CALLS))(self._compute)

    def edit(self, choice: ModelChoice, request: Event) -> Iterator[Event]:
        """From a moved needle to the new text: the events of a race (see RaceRunner.run), on edited noise."""
        try:
            race = _race(request)
            choice, noise = model_of(choice, race.reference), edited_tape(race, request)
            yield {"event": "start", "query": None, "tokens": race.limit}
            yield from self.shelf.loading_events(choice)
            fresh = Race(origin="live", limit=race.limit)
            run = RUNS.add(fresh)
            yield from lane_events(run, fresh, into(fresh, self.redecode(choice, race, noise)))
            yield {"event": "done", "run": run, "meta": meta_view(fresh), "summary": summary_view(fresh)}
        except REFUSALS as error:
            yield error_event(error)

    def draw(self, choice: ModelChoice, request: Event) -> Iterator[tuple[Event, Any]]:
        """(event, map or None): progress (share), then map (kind, run, position, the view), or error."""
        try:
            race = _race(request)
            kind, run, position = _asked_map(request)
            choice = model_of(choice, race.reference)
            key = (choice, files_stamp(choice), run, kind, position)
            found = MAPS.find(key)
            if found is None:
                found = recorded_map(choice, run, kind, position)
            if found is None:
                for event in self.shelf.loading_events(choice):
                    yield event, None
                for part in self.compute(choice, kind, race.reference, position):
                    if isinstance(part, float):
                        yield {"event": "progress", "kind": kind, "share": part}, None
                    else:
                        found = part[1]
                MAPS.put(key, found)
            view = KINDS[kind][1](found)
            yield {"event": "map", "kind": kind, "run": run, "position": position, "map": view}, found
        except REFUSALS as error:
            yield error_event(error), None

    def _redecode(self, choice: ModelChoice, race: Race, noise: NoiseTape) -> Iterator[tuple[str, Part]]:
        """Both lanes on another tape; yields (lane, its trace up to the change), then (lane, step)."""
        model, contexts = self.shelf.get(choice), self.shelf.contexts(choice)
        for lane, trace in race.lanes.items():
            fresh, steps = analysis.redecode_steps(
                model, trace, noise, contexts,
                max_new_tokens=race.limit,
                num_speculative_tokens=_PLAIN.num_speculative_tokens,
                draft_budget=default_budget(trace.method),
            )  # fmt: skip
            yield lane, fresh
            for step in steps:
                yield lane, step

    def _compute(
        self, choice: ModelChoice, kind: str, trace: Trace, position: int
    ) -> Iterator[float | tuple[str, Any]]:
        """Yields progress, then ("map", the map)."""
        steps = KINDS[kind][0](self.shelf.get(choice), trace, position, self.shelf.contexts(choice))
        found = yield from steps
        yield "map", found


def redecode_seconds(choice: ModelChoice, race: Race, noise: NoiseTape) -> int:
    """The GPU time of NoiseRunner.redecode."""
    return gpu_seconds(len(LANES) * (race.limit or MAX_NEW_TOKENS))


# ---- what a request asks for -------------------------------------------------------------------------------


def edited_tape(race: Race, request: Event) -> NoiseTape:
    """The tape that a request asks for: the seed's own noise with "edits" {position: u}, {position.token: clock}.

    With "redraw" {behind, seed}, every u behind a position comes from another seed. ValueError if that is no tape.
    """
    try:
        asked = {str(place): float(u) for place, u in dict(request.get("edits") or {}).items()}
        edits = {int(place): u for place, u in asked.items() if "." not in place}
        clocks = {_position_and_token(place): value for place, value in asked.items() if "." in place}
        redraw = request.get("redraw")
        if redraw:
            fresh = NoiseTape(int(redraw["seed"]))
            edits |= {i: fresh[i] for i in range(int(redraw["behind"]) + 1, MAX_NEW_TOKENS)}
    except (TypeError, ValueError, KeyError):
        raise ValueError("Noise values must be numbers.") from None
    if any(not 0 <= position < MAX_NEW_TOKENS for position in (*edits, *(place for place, _ in clocks))):
        raise ValueError(f"Positions run from 0 to {MAX_NEW_TOKENS - 1}.")
    if any(not math.isfinite(u) or not 0 <= u < 1 for u in edits.values()):
        raise ValueError("u must lie in [0, 1).")
    return NoiseTape(race.reference.noise.seed, edits, clocks)


def _position_and_token(place: str) -> tuple[int, int]:
    """ "12.345" -> (12, 345); ValueError for anything else."""
    position, token = place.split(".")
    return int(position), int(token)


def _race(request: Event) -> Race:
    """A copy of the race of a request, as it is now, with a limit on its length.

    ValueError with a sentence if the race is gone or cannot be decoded again.
    """
    race = RUNS.get(str(request.get("run")))
    lanes = {lane: race.lanes[lane] for lane in LANES if lane in race.lanes}  # a run may be adding one
    if not lanes:
        raise ValueError("This text has no token yet.")
    if any(trace.method not in METHODS for trace in lanes.values()):
        raise ValueError("This text was written by a method that this lab does not know.")
    longest = max(len(trace.tokens) for trace in lanes.values())
    limit = race.limit or min(max(longest, _PLAIN.max_new_tokens), MAX_NEW_TOKENS)
    return replace(race, lanes=lanes, limit=limit)


def _asked_map(request: Event) -> tuple[str, str, int]:
    """(kind, run, position) of a request for a map; ValueError with a sentence for what is not there."""
    kind, run = str(request.get("kind")), str(request.get("run"))
    if kind not in KINDS:
        raise ValueError(f"There is no map {kind!r}; maps: {', '.join(KINDS)}.")
    try:
        return kind, run, int(request["position"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("Choose a token first.") from None


# ---- kinds of maps -----------------------------------------------------------------------------------------


def _bins(model: Any, trace: Trace, position: int, contexts: Any) -> Steps[Any]:
    yield 0.0
    return analysis.distribution(model, trace, position, contexts)


def _sweep(model: Any, trace: Trace, position: int, contexts: Any) -> Steps[Any]:
    last = min(position + SWEEP_LENGTH - 1, len(trace.tokens) - 1)
    return (yield from analysis.sweep_steps(model, trace, position, last, contexts))


def _race_of_clocks(model: Any, trace: Trace, position: int, contexts: Any) -> Steps[Any]:
    yield 0.0
    return analysis.clock_race(model, trace, position, contexts)


KINDS: dict[str, tuple[Callable[..., Steps[Any]], Callable[[Any], Any]]] = {  # kind: (its steps, its view)
    "bins": (_bins, bins_view),
    "sweep": (_sweep, sweep_view),
    "square": (analysis.unit_square_steps, square_view),
    "staircase": (analysis.staircase_steps, staircase_view),
    "race": (_race_of_clocks, race_view),
}


def opening() -> Event:
    """The event with which the page opens: a recorded text, and the recorded maps of its most telling token."""
    maps = {kind: KINDS[kind][1](found) for kind, found in recorded_maps().items()}
    return {**open_run(RUN), "first": True, "position": telling_position(), "maps": maps}
