"""Races: two lanes on the same noise, while they run and afterwards; recorded ones; and their files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from app.serving.store import Store
from app.serving.uploads import read_json
from app.settings import RunSettings
from ptp_core.methods import BASELINE
from ptp_core.packed_files import read_packed
from ptp_core.speedup import Call, Comparison, compare_lanes
from ptp_core.storage.built_in import BUILT_IN, DEFAULT
from ptp_core.trace import DecodeStep, Trace, first_divergence

FORMAT = "ptp-race-1"
LANES = BASELINE, PARALLEL = (BASELINE, "ptp")
RECORDED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "races"
_KEPT_RUNS = 200
_GONE = "This run is no longer in memory. Run it again, or upload its file."


@dataclass
class Race:
    """Lane name -> trace; a lane's steps grow while it is being decoded. query: the link that runs it again."""

    lanes: dict[str, Trace] = field(default_factory=dict)
    origin: Literal["live", "recorded", "uploaded"] = "live"
    query: str | None = None
    limit: int | None = None  # most tokens of the text; None: as many as there are

    def steps(self, lane: str) -> list[DecodeStep]:
        return self.lanes[lane].steps if lane in self.lanes else []

    @property
    def reached(self) -> float:
        """The share of its tokens that are there; 0 where nothing says how many there may be."""
        there = sum(len(step.emitted) for lane in LANES for step in self.steps(lane))
        return there / (len(LANES) * self.limit) if self.limit else 0.0

    @property
    def first_divergence(self) -> int | None:
        """First position at which the lanes' texts differ; None while one lane is missing, or where one lane was
        stopped earlier than the other."""
        if set(self.lanes) != set(LANES):
            return None
        texts = [self.lanes[lane].tokens for lane in LANES]
        place = first_divergence(*texts)
        return None if place == min(map(len, texts)) else place

    @property
    def comparison(self) -> Comparison | None:
        """Calls and times of both lanes at equal numbers of tokens; None while one lane is missing."""
        if set(self.lanes) != set(LANES):
            return None
        plain, parallel = ([Call(len(s.emitted), s.seconds) for s in self.steps(lane)] for lane in LANES)
        return compare_lanes(plain, parallel)

    @property
    def reference(self) -> Trace:
        """The lane whose text counts: the autoregressive one where it is there."""
        return next(self.lanes[lane] for lane in LANES if lane in self.lanes)

    def to_dict(self) -> dict[str, Any]:
        lanes = {lane: self.lanes[lane] for lane in LANES if lane in self.lanes}  # a run may be adding one
        return {"format": FORMAT, **{lane: trace.to_dict() for lane, trace in lanes.items()}}

    @classmethod
    def from_dict(cls, data: Any) -> Race:
        """A race file, or a single trace; ValueError with a sentence on anything else."""
        if isinstance(data, dict) and data.get("format") == FORMAT:
            lanes = {lane: Trace.from_dict(data[lane]) for lane in LANES if lane in data}
            if not lanes:
                raise ValueError("This race file has no lanes.")
            if len({(tuple(t.prompt_tokens), str(t.noise), str(t.sampling)) for t in lanes.values()}) > 1:
                raise ValueError("The two lanes of this file are not one race: prompt, noise or sampling differ.")
            return cls(lanes)
        trace = Trace.from_dict(data)
        return cls({BASELINE if trace.method == BASELINE else PARALLEL: trace})

    @classmethod
    def from_text(cls, text: str) -> Race:
        """Parses a file's content; ValueError with a sentence if it is no race and no trace."""
        race = cls.from_dict(read_json(text, "trace"))
        race.origin = "uploaded"
        return race


def recording_of(name: str) -> Path:
    """Where the recorded race of this name lies."""
    return RECORDED_FOLDER / f"{name}.json.xz"


def recorded_names() -> list[str]:
    """Names of the races that come with the project."""
    return sorted(path.name.partition(".")[0] for path in RECORDED_FOLDER.glob(recording_of("*").name))


@lru_cache(maxsize=32)
def recorded_race(name: str) -> Race:
    """A race that comes with the project; KeyError if there is none of that name."""
    if name not in recorded_names():
        raise KeyError(name)
    race = Race.from_dict(json.loads(read_packed(recording_of(name))))
    race.origin = "recorded"
    return race


def _recorded(run: str) -> Race | None:
    """The recorded race that "recorded:NAME" means."""
    name = run.removeprefix("recorded:")
    return recorded_race(name) if name != run and name in recorded_names() else None


RUNS: Store[Race] = Store(_KEPT_RUNS, _GONE, shipped=_recorded)


def recorded_for(settings: RunSettings) -> str | None:
    """The name of a recorded race of exactly these settings, if there is one."""
    for name in recorded_names():
        trace = recorded_race(name).lanes[PARALLEL]
        model = trace.model if trace.model in BUILT_IN else DEFAULT
        sampling = replace(trace.sampling, order=settings.sampling.order)  # the order is the adapter's
        if settings == RunSettings(trace.prompt, model, seed=trace.noise.seed, sampling=sampling):
            return name
    return None
