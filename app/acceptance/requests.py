"""What the browser asks of the Acceptance page: which result is shown, what stands behind a bar, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from app.serving.values import Event
from ptp_core.benchmark.summary import csv_text
from ptp_core.methods import AHEAD, BRANCHES, TABLE, TURNS

from .exhibits import exhibits_view
from .links import is_default, race_query
from .look import Look
from .questions import questions_view
from .results import Results, uploaded
from .shown import Shown
from .studies import csv_of, study_exhibits, study_view
from .studies import entry_view as study_entry
from .view import entry_view, result_view

_ENOUGH_DRAFTS = 20
_DAMAGED = (KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError)


class Requests:
    """Answers to the browser's requests about the results of one server. No model works for them."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def opening(self) -> Event:
        """The event that the page opens with: every shipped result by name, the one with most questions drawn."""
        shown = {name: self._results.get(name) for name in self._results.names()}
        if not shown:
            return {"event": "open", "list": [], "view": None, "exhibits": []}
        entries = [entry_view(name, entry) for name, entry in shown.items()]
        studies = self._results.studies
        entries += [study_entry(name, study) for name in studies.names() if (study := studies.find(name))]
        name, first = max(shown.items(), key=_opens)  # the first of those with most questions and drafting methods
        exhibits = exhibits_view(Look(first, *favourite(first)))
        return {"event": "open", "list": entries, **_drawn(name, first), "exhibits": exhibits}

    def server_functions(self) -> list[Callable[[Event], Event]]:
        """The requests as functions that the browser calls by these names; they never raise."""
        answers = (
            self.fetch_result, self.fetch_exhibits, self.fetch_questions, self.export_result, self.open_result,
        )  # fmt: skip
        return [answered(answer) for answer in answers]

    def fetch_result(self, request: Event) -> Event:
        """The figures of a result, and the method to open it with."""
        name = str(request["result"])
        if study := self._results.studies.find(name):
            return study_view(name, study)
        return _drawn(name, self._results.get(name))

    def fetch_exhibits(self, request: Event) -> Event:
        """The exhibits of a method, or of a study."""
        if study := self._results.studies.find(str(request["result"])):
            return {"exhibits": study_exhibits(study)}
        return {"exhibits": exhibits_view(Look.parse(request, self._results))}

    def fetch_questions(self, request: Event) -> Event:
        """The questions behind a bar."""
        look = Look.parse(request, self._results)
        if not isinstance(request["index"], int):
            raise ValueError("This chart has no such bar.")
        found = questions_view(look, str(request["exhibit"]), request["index"], lambda row: race_query(look.shown, row))
        return {**found, "same_model": is_default(look.shown)}

    def export_result(self, request: Event) -> Event:
        """The whole result as a file's content: kind "csv" or "json"."""
        name = str(request["result"])
        if study := self._results.studies.find(name):
            is_table = request.get("kind") == "csv"
            return {
                "name": f"{name}.{'csv' if is_table else 'json'}",
                "text": csv_of(study) if is_table else study.text(),
            }
        shown = self._results.get(name)
        if request.get("kind") == "csv":
            return {"name": f"{shown.name}.csv", "text": csv_text(shown.result.rows)}
        return {"name": f"{shown.name}.json", "text": json.dumps(shown.result.to_dict(), ensure_ascii=False)}

    def open_result(self, request: Event) -> Event:
        """Keeps an uploaded file's text as a result. It is drawn once before it is let in."""
        shown = uploaded(str(request["text"]), str(request["name"])[:80])
        try:
            for point in shown.points:
                for method in shown.result.config.methods:
                    json.dumps(exhibits_view(Look(shown, method, point)), allow_nan=False)
            json.dumps(result_view("", shown), allow_nan=False)
        except (*_DAMAGED, ValueError) as error:
            raise ValueError(f"This benchmark result is damaged ({type(error).__name__}: {error}).") from None
        return {"result": self._results.add(shown)}


def answered(answer: Callable[[Event], Event]) -> Callable[[Event], Event]:
    """A request's answer, or {"error": sentence}: what the browser asks for never raises."""

    @wraps(answer)
    def checked(request: Event) -> Event:
        try:
            return answer(request)
        except ValueError as error:
            return {"error": str(error)}
        except _DAMAGED:
            return {"error": "The page asked for something that is not there. Reload it."}

    return checked


def _drawn(name: str, shown: Shown) -> dict[str, Any]:
    method, point = favourite(shown)
    return {"view": result_view(name, shown), "method": method, "point": point}


def _opens(item: tuple[str, Shown]) -> tuple[int, int]:
    """By which the page's first result is chosen: questions outside any sweep, then methods that drafted there."""
    shown = item[1]
    asked = {row.question_id for row in shown.result.rows if not row.point}
    return len(asked), len(shown.drafting(""))


def favourite(shown: Shown) -> tuple[str, str]:
    """The method and point to open a result with.

    It is the best drafter that verified enough drafts to see something. Else it is the one that verified most, or the
    first method.
    """
    drafted = {
        (method, point): sum(len(call.confidences) for row in shown.select(method, point, None) for call in row.calls)
        for point in shown.points
        for method in shown.drafting(point)
    }
    for way in (AHEAD, BRANCHES, TURNS):
        for (method, point), count in drafted.items():
            if TABLE[method].drafts == way and TABLE[method].sees_u and count >= _ENOUGH_DRAFTS:
                return method, point
    return max(drafted, key=lambda pair: drafted[pair], default=(shown.result.config.methods[0], ""))
