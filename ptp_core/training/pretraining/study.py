"""A study: does u pay? Kinds of slots at equal numbers of targets, as a file that pages draw."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch

from ...json_text import parse_json
from .slot_kinds import slot_kind
from .slots import read_log

FORMAT = "ptp-study-1"
_LARGEST = 1 << 20  # bytes
_WIDTH = 1.96  # standard errors on each side of an interval of 95 %


@dataclass(frozen=True)
class Point:
    """What slots are worth after so many targets.

    interval  95 %, None where it was not measured
    right     how often slots are right by place, from the first that stands behind a settled token
    ahead     tokens per call more than the u-blind kind makes on the same windows, and its standard error
    """

    targets: int
    tokens_per_call: float
    interval: tuple[float, float] | None = None
    right: tuple[float, ...] = ()
    ahead: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        interval, ahead = raw.get("interval"), raw.get("ahead")
        return cls(
            int(raw["targets"]), float(raw["tokens_per_call"]), _pair(interval),
            tuple(float(x) for x in raw.get("right", ())), _pair(ahead),
        )  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """Kinds of slots, compared in one way.

    id, title  which target and question
    start      what the slots started from
    measure    on what they were measured
    machine    where, and when
    source     where the figures stand in docs/
    kinds      the points of each kind, by its label
    """

    id: str
    title: str
    start: str
    measure: str
    machine: str
    source: str
    kinds: Mapping[str, Sequence[Point]]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        texts = {name: str(raw[name]) for name in ("id", "title", "start", "measure", "machine", "source")}
        kinds = {str(kind): [Point.from_json(point) for point in points] for kind, points in raw["kinds"].items()}
        if not kinds or not all(kinds.values()):
            raise ValueError("An experiment without figures.")
        return cls(**texts, kinds=kinds)


@dataclass(frozen=True)
class Study:
    """Experiments on one question."""

    title: str
    experiments: Sequence[Experiment]

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Self:
        """ValueError with a sentence if the file holds no study."""
        raw = parse_json(Path(path).read_bytes(), "study", _LARGEST)
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise ValueError(f"{path} is no study of the format {FORMAT!r}.")
        try:
            return cls(str(raw["title"]), [Experiment.from_json(one) for one in raw["experiments"]])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path} is a damaged study: {error}.") from None

    def text(self) -> str:
        """The file's content: one line an experiment."""
        lines = ",\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in self.experiments)
        head = json.dumps({"format": FORMAT, "title": self.title}, ensure_ascii=False)[:-1]
        return f'{head}, "experiments": [\n{lines}\n]}}\n'


def experiment_of(run: Path, ident: str, title: str, measure: str, machine: str, source: str) -> Experiment:
    """The experiment that a run of `train slots` was. FileNotFoundError if there is no run."""
    config = torch.load(run / "state.pt", weights_only=True)["config"]
    kinds: dict[str, list[Point]] = {slot_kind(kind).label: [] for kind in config["kinds"]}
    for row in read_log(run):
        for kind in config["kinds"]:
            found = row[kind]
            value, error = found["tokens_per_call"], found["error_by_text"]
            between = (round(value - _WIDTH * error, 4), round(value + _WIDTH * error, 4))
            ahead = (found["ahead"], found["ahead_error"]) if "ahead" in found else None
            right = tuple(found["right"][1:])
            kinds[slot_kind(kind).label].append(Point(row["targets"], value, between, right, ahead))
    start = f"the deltas and chain head of {Path(config['init']).name}" if config["init"] else "fresh deltas"
    return Experiment(ident, title, start, measure, machine, source, kinds)


def put_experiment(path: Path, experiment: Experiment) -> Study:
    """Puts an experiment into a study's file, in place of one of the same id."""
    study = Study.from_json(path)
    known = [one.id for one in study.experiments]
    kept = [experiment if one.id == experiment.id else one for one in study.experiments]
    study = Study(study.title, kept if experiment.id in known else [experiment, *kept])
    path.write_text(study.text(), encoding="utf-8")
    return study


def _pair(raw: Any) -> tuple[float, float] | None:
    if raw is None:
        return None
    low, high = raw
    return float(low), float(high)
