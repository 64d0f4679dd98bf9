"""What the page looks at: one method of a result, at one setting, over one category of questions or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.serving.values import Event
from ptp_core.benchmark.bounds import Drafter
from ptp_core.benchmark.rows import Row

from .results import Results
from .shown import Shown


@dataclass(frozen=True)
class Look:
    """point "" is the result's own setting; category None is all questions."""

    shown: Shown
    method: str
    point: str = ""
    category: str | None = None

    @classmethod
    def parse(cls, request: Event, results: Results) -> Look:
        """What a request of the browser names; ValueError with a sentence for what is not there."""
        shown = results.get(str(request["result"]))
        look = cls(shown, str(request["method"]), str(request.get("point") or ""), request.get("category") or None)
        if look.method not in shown.result.config.methods:
            raise ValueError(f"{shown.name} has no method {look.method!r}.")
        if look.point not in shown.points:
            raise ValueError(f"{shown.name} has no setting {look.point!r}.")
        if look.category is not None and look.category not in shown.categories:
            raise ValueError(f"{shown.name} has no category {look.category!r}.")
        return look

    @property
    def rows(self) -> list[Row]:
        return self.shown.select(self.method, self.point, self.category)

    @property
    def drafter(self) -> Drafter:
        return self.shown.drafter(self.method, self.point)

    @property
    def analysis(self) -> dict[str, Any] | None:
        """What became of the method's drafts; None where it made none."""
        if self.method not in self.shown.drafting(self.point):
            return None
        return self.shown.analysis(self.method, self.point, self.category)

    @property
    def figures(self) -> dict[str, Any] | None:
        """The summary of the method at this point, over all categories."""
        summaries = self.shown.summaries
        found: dict[str, Any] | None = {**summaries.get("", {}), **summaries.get(self.point, {})}.get(self.method)
        return found
