"""Events of the Noise page: a text on other noise, and maps from noise to tokens."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from typing import Any

from app.race.events import Part, lane_events
from app.race.races import LANES, RUNS, Race
from app.race.view import meta_view, summary_view
from app.serving.models import CONTEXTS, SHELF, ModelChoice, on_gpu
from app.serving.values import Event
from app.settings import MAX_NEW_TOKENS, RaceSettings, default_budget
from ptp_core import NoiseTape, analysis
from ptp_core.decoding.decode import METHODS
from ptp_core.maps.scan import Steps
from ptp_core.trace import DecodeStep, Trace

from .view import bins_view, square_view, staircase_view, sweep_view

SWEEP_LENGTH = 8
_KEPT_MAPS = 400
_REFUSED = (ValueError, RuntimeError, FileNotFoundError, OSError)
_GONE = "This text is no longer in memory. Write it again, or upload its file."
_PLAIN = RaceSettings("")


# ---- other noise -------------------------------------------------------------------------------------------


def edited_tape(race: Race, request: Event) -> NoiseTape:
    """The tape that a request asks for: the seed's own noise with "edits" {position: u}; with "redraw"
    {behind, seed}, what lies behind a position comes from another seed. ValueError if that is no tape."""
    trace = race.lanes["ar"] if "ar" in race.lanes else race.lanes["ptp"]
    try:
        edits = {int(position): float(u) for position, u in dict(request.get("edits") or {}).items()}
        redraw = request.get("redraw")
        if redraw:
            fresh = NoiseTape(int(redraw["seed"]))
            edits |= {i: fresh[i] for i in range(int(redraw["behind"]) + 1, MAX_NEW_TOKENS)}
    except (TypeError, ValueError, KeyError):
        raise ValueError("Noise values must be numbers.") from None
    if any(not 0 <= position < MAX_NEW_TOKENS for position in edits):
        raise ValueError(f"Positions run from 0 to {MAX_NEW_TOKENS - 1}.")
    if any(not math.isfinite(u) or not 0 <= u < 1 for u in edits.values()):
        raise ValueError("u must lie in [0, 1).")
    return NoiseTape(trace.noise.seed, edits)


def redecode_seconds(choice: ModelChoice, race: Race, noise: NoiseTape) -> int:
    """What a visitor's quota is asked for."""
    return int(10 + 0.12 * len(LANES) * (race.limit or MAX_NEW_TOKENS))


@on_gpu(redecode_seconds)
def redecode(choice: ModelChoice, race: Race, noise: NoiseTape) -> Iterator[tuple[str, Part]]:
    """Both lanes on another tape; yields (lane, its trace up to the change), then (lane, step)."""
    model = SHELF.get(choice)
    for lane in LANES:
        if lane not in race.lanes:
            continue
        trace = race.lanes[lane]
        plain = {"num_speculative_tokens": _PLAIN.num_speculative_tokens, "draft_budget": default_budget(trace.method)}
        fresh, steps = analysis.redecode_steps(
            model, trace, noise, CONTEXTS.get(model), max_new_tokens=race.limit, **plain
        )
        yield lane, fresh
        for step in steps:
            yield lane, step


def edit_noise(choice: ModelChoice, request: Event) -> Iterator[Event]:
    """From a moved needle to the new text: the events of a race (see run_race), on edited noise."""
    try:
        race = _race(request)
        noise = edited_tape(race, request)
        yield {"event": "start", "query": None, "tokens": race.limit or 0}
        yield from _loading(choice)
        known = replace(race, lanes={lane: race.lanes[lane] for lane in LANES if lane in race.lanes})
        fresh = Race(origin="live", limit=race.limit)
        run = RUNS.add(fresh)
        yield from lane_events(run, fresh, _into(fresh, redecode(choice, known, noise)))
        yield {"event": "done", "run": run, "meta": meta_view(fresh), "summary": summary_view(fresh)}
    except _REFUSED as error:
        yield {"event": "error", "message": str(error)}


def _into(race: Race, parts: Iterator[tuple[str, Part]]) -> Iterator[tuple[str, DecodeStep]]:
    for lane, part in parts:
        if isinstance(part, Trace):
            race.lanes[lane] = part
        else:
            race.lanes[lane].steps.append(part)
            yield lane, part


def _race(request: Event) -> Race:
    """The race of a request, with its limit; ValueError with a sentence if it is gone or cannot be decoded again."""
    try:
        race = RUNS.get(str(request.get("run")))
    except KeyError:
        raise ValueError(_GONE) from None
    if any(trace.method not in METHODS for trace in race.lanes.values()):
        raise ValueError("This text was written by a method that this lab does not know.")
    length = max(len(trace.tokens) for trace in race.lanes.values())
    if race.limit is None:
        race.limit = min(max(length, _PLAIN.max_new_tokens), MAX_NEW_TOKENS)
    return race


def _loading(choice: ModelChoice) -> Iterator[Event]:
    for share, text in SHELF.loading(choice):
        yield {"event": "loading", "share": share, "text": text}


# ---- maps --------------------------------------------------------------------------------------------------


MapKey = tuple[ModelChoice, str, str, int]


class MapStore:
    """Maps by model, run, kind and position; the oldest are forgotten first."""

    def __init__(self, capacity: int = _KEPT_MAPS) -> None:
        self._maps: OrderedDict[MapKey, Any] = OrderedDict()
        self._capacity = capacity
        self._lock = Lock()

    def get(self, key: MapKey) -> Any | None:
        with self._lock:
            return self._maps.get(key)

    def add(self, key: MapKey, value: Any) -> None:
        with self._lock:
            self._maps[key] = value
            while len(self._maps) > self._capacity:
                self._maps.popitem(last=False)


MAPS = MapStore()


def _bins(model: Any, trace: Trace, position: int, contexts: Any) -> Steps[Any]:
    yield 0.0
    return analysis.distribution(model, trace, position, contexts)


def _sweep(model: Any, trace: Trace, position: int, contexts: Any) -> Steps[Any]:
    last = min(position + SWEEP_LENGTH - 1, len(trace.tokens) - 1)
    return (yield from analysis.sweep_steps(model, trace, position, last, contexts))


KINDS: dict[str, tuple[Callable[..., Steps[Any]], Callable[[Any], Any]]] = {  # kind: (its steps, its view)
    "bins": (_bins, bins_view),
    "sweep": (_sweep, sweep_view),
    "square": (analysis.unit_square_steps, square_view),
    "staircase": (analysis.staircase_steps, staircase_view),
}


def map_seconds(choice: ModelChoice, kind: str, trace: Trace, position: int) -> int:
    """What a visitor's quota is asked for."""
    return 20


@on_gpu(map_seconds)
def compute(choice: ModelChoice, kind: str, trace: Trace, position: int) -> Iterator[float | tuple[str, Any]]:
    """Yields progress, then ("map", the map)."""
    model = SHELF.get(choice)
    steps = KINDS[kind][0](model, trace, position, CONTEXTS.get(model))
    found = yield from steps
    yield "map", found


def draw_map(choice: ModelChoice, request: Event) -> Iterator[tuple[Event, Any]]:
    """(event, map or None): progress (share), then map (kind, run, position, the view), or error."""
    try:
        race = _race(request)
        kind, run = str(request.get("kind")), str(request.get("run"))
        if kind not in KINDS:
            raise ValueError(f"There is no map {kind!r}; maps: {', '.join(KINDS)}.")
        try:
            position = int(request["position"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("Choose a token first.") from None
        found = MAPS.get((choice, run, kind, position))
        if found is None:
            for event in _loading(choice):
                yield event, None
            trace = race.lanes["ar"] if "ar" in race.lanes else race.lanes["ptp"]
            for part in compute(choice, kind, trace, position):
                if isinstance(part, float):
                    yield {"event": "progress", "kind": kind, "share": part}, None
                else:
                    found = part[1]
            MAPS.add((choice, run, kind, position), found)
        view = KINDS[kind][1](found)
        yield {"event": "map", "kind": kind, "run": run, "position": position, "map": view}, found
    except _REFUSED as error:
        yield {"event": "error", "message": str(error)}, None
