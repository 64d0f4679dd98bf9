"""A benchmark result as the page knows it, with what is derived from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ptp_core.benchmark.acceptance import analyse, drafting_methods
from ptp_core.benchmark.bounds import Drafter
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows import Row, baseline_point
from ptp_core.benchmark.summary import summarise_points
from ptp_core.methods import BASELINE


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

    def comparison(self, point: str, category: str | None) -> dict[str, Any]:
        """The drafts of all methods beside the target's likeliest token, at one point."""
        key = ("", point, category)
        if key not in self._analyses:
            self._analyses[key] = self.result.comparison(category, point)
        return self._analyses[key]

    def analysis(self, method: str, point: str, category: str | None) -> dict[str, Any]:
        """acceptance.analyse of one method at one point, over one category or all."""
        key = (method, point, category)
        if key not in self._analyses:
            ar = self.select(BASELINE, baseline_point(point), category)
            rows = self.select(method, point, category)
            self._analyses[key] = analyse(rows, ar, self.drafter(method, point), self.result.curve)
        return self._analyses[key]
