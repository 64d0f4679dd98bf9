"""Benchmark results: those that come with the project, live ones while they run, uploaded ones."""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from app.serving.uploads import whole_characters
from ptp_core.benchmark.acceptance import analyse, drafting_methods
from ptp_core.benchmark.bounds import Drafter
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows import Row, baseline_point
from ptp_core.benchmark.summary import summarise_points

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "benchmarks"
MAX_UPLOAD_BYTES = 24 << 20
_KEPT_RESULTS = 60
_GONE = "This result is no longer in memory. Run it again, or upload its file."


@dataclass(frozen=True)
class Shown:
    """A result as the page knows it. What is derived from it is worked out once."""

    result: BenchResult
    name: str
    origin: Literal["shipped", "live", "uploaded"]
    _analyses: dict[tuple[str, str, str | None], dict[str, Any]] = field(default_factory=dict, compare=False)

    @cached_property
    def points(self) -> list[str]:
        """The settings that a method can be looked at in: "" first, then the points of a sweep."""
        return list(dict.fromkeys(["", *(row.point for row in self.result.rows)]))

    @cached_property
    def summaries(self) -> dict[str, Any]:
        """{point: {method: figures with by_category}}."""
        return summarise_points(self.result.rows)

    @cached_property
    def categories(self) -> list[str]:
        return sorted({row.category for row in self.result.rows})

    def drafting(self, point: str) -> list[str]:
        """The methods that drafted at this point."""
        return drafting_methods([row for row in self.result.rows if row.point == point])

    def select(self, method: str, point: str, category: str | None) -> list[Row]:
        return self.result.select(method, point, category)

    def drafter(self, method: str, point: str) -> Drafter:
        return self.at(point).drafter(method)

    def at(self, point: str) -> BenchResult:
        """The result with the configuration of one point of its sweep."""
        found = next((p for p in self.result.config.sweep if p.name == point), None)
        r = self.result
        return BenchResult(r.environment, r.config.at(found), r.questions, r.rows, r.complete, r.profile)

    def analysis(self, method: str, point: str, category: str | None) -> dict[str, Any]:
        """acceptance.analyse of one method at one point, over one category or all."""
        key = (method, point, category)
        if key not in self._analyses:
            ar = self.select("ar", baseline_point(point), category)
            rows = self.select(method, point, category)
            self._analyses[key] = analyse(rows, ar, self.drafter(method, point), self.result.curve)
        return self._analyses[key]


class ResultStore:
    """Results by an id that only their visitor knows; the oldest are forgotten first."""

    def __init__(self, capacity: int = _KEPT_RESULTS) -> None:
        self._kept: OrderedDict[str, Shown] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def add(self, shown: Shown, known: str | None = None) -> str:
        """Keeps a result under a new id, or under a known one in place of what it was."""
        name = known or secrets.token_urlsafe(12)
        with self._lock:
            self._kept[name] = shown
            self._kept.move_to_end(name)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> Shown:
        """The result of this id, or a shipped one by its file's name; ValueError with a sentence if it is gone."""
        with self._lock:
            if name in self._kept:
                return self._kept[name]
        if name in shipped_names():
            return shipped(name)
        raise ValueError(_GONE)


def shipped_names() -> list[str]:
    """Names of the results that come with the project, "default" first."""
    return _readable(SHIPPED_FOLDER)


def shipped(name: str) -> Shown:
    plain = SHIPPED_FOLDER / f"{name}.json"
    return _read(plain if plain.is_file() else plain.with_suffix(".json.gz"))


@lru_cache(maxsize=4)
def _readable(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*.json*"), key=lambda p: (_name(p) != "default", p.name)):
        try:
            _read(path)
        except ValueError:
            continue  # of an older lab
        found.append(_name(path))
    return found


@lru_cache(maxsize=64)
def _read(path: Path) -> Shown:
    return Shown(BenchResult.from_json(path), _name(path), "shipped")


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json")


def uploaded(text: str, name: str) -> Shown:
    """An uploaded file's content as a result; ValueError with a sentence if it is none."""
    if len(text) > MAX_UPLOAD_BYTES:
        raise ValueError(f"This file is larger than {MAX_UPLOAD_BYTES >> 20} MB, too large for a result here.")
    try:
        data = json.loads(whole_characters(text))
        if "\\ud" in text.lower():  # halves of characters may also be written as escapes
            data = json.loads(whole_characters(json.dumps(data, ensure_ascii=False)))
        result = BenchResult.from_dict(data)
    except json.JSONDecodeError as error:
        raise ValueError(f"This file is not whole JSON (it breaks at character {error.pos}).") from None
    except RecursionError:
        raise ValueError("This file is nested too deeply to be a benchmark result.") from None
    if not result.rows:
        raise ValueError("This benchmark result has no answers in it.")
    return Shown(result, name, "uploaded")


RESULTS = ResultStore()
