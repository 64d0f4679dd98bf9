"""What the Acceptance page asks for: which result is shown, what stands behind a bar, files, links to races."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from app.serving.values import Event
from app.settings import RACE_METHODS, RaceSettings
from ptp_core.benchmark.config import DRAFTING
from ptp_core.benchmark.rows import Row
from ptp_core.benchmark.summary import csv_text
from ptp_core.folders import adapters_folder
from ptp_core.storage.adapter_files import adapter_sha256
from ptp_core.storage.load import DEFAULT_ADAPTER

from . import results
from .exhibits import exhibits_view
from .questions import questions_view
from .results import RESULTS, Shown
from .view import entry_view, result_view

_ENOUGH_DRAFTS = 20


def opening(result: str | None = None) -> Event:
    """The event that the page opens with: every shipped result by name, and the first one drawn."""
    names = results.shipped_names()
    entries = [entry_view(name, RESULTS.get(name)) for name in names]
    first = result or next(iter(names), None)
    if first is None:
        return {"event": "open", "list": [], "view": None, "exhibits": []}
    view = result_view(first, RESULTS.get(first))
    method, point = favourite(RESULTS.get(first))
    shown = exhibits_view(RESULTS.get(first), method, point, None)
    return {"event": "open", "list": entries, "view": view, "method": method, "point": point, "exhibits": shown}


def favourite(shown: Shown) -> tuple[str, str]:
    """The method and point to open a result with: PQD where it verified enough drafts to see something, else PTP,
    else whatever verified any, else the first method."""
    drafted = {
        (method, point): sum(len(call.confidences) for row in shown.select(method, point, None) for call in row.calls)
        for point in shown.points
        for method in shown.drafting(point)
    }
    for wanted in ("shallow", "pqd", "ptp"):
        for pair, count in drafted.items():
            if pair[0] == wanted and count >= _ENOUGH_DRAFTS:
                return pair
    return max(drafted, key=lambda pair: drafted[pair], default=(shown.result.config.methods[0], ""))


def answered(answer: Callable[[Event], Event]) -> Callable[[Event], Event]:
    """A request's answer, or {"error": sentence}: what the browser asks for never raises."""

    def checked(request: Event) -> Event:
        try:
            return answer(request)
        except ValueError as error:
            return {"error": str(error)}
        except (KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError):
            return {"error": "The page asked for something that is not there. Reload it."}

    checked.__name__ = answer.__name__.removeprefix("_")
    return checked


def _fetch_result(request: Event) -> Event:
    name = str(request["result"])
    shown = RESULTS.get(name)
    method, point = favourite(shown)
    return {"view": result_view(name, shown), "method": method, "point": point}


def _fetch_exhibits(request: Event) -> Event:
    shown, method, point, category = _asked(request)
    return {"exhibits": exhibits_view(shown, method, point, category)}


def _fetch_questions(request: Event) -> Event:
    shown, method, point, category = _asked(request)
    index = int(request["index"])
    found = questions_view(
        shown, method, point, category, str(request["exhibit"]), index, lambda row: race_query(shown, row)
    )
    return {**found, "same_model": is_default(shown)}


def _asked(request: Event) -> tuple[Shown, str, str, str | None]:
    """Result, method, point and category of a request; ValueError with a sentence for what is not there."""
    shown = RESULTS.get(str(request["result"]))
    method, point, category = str(request["method"]), str(request.get("point") or ""), request.get("category") or None
    if method not in shown.result.config.methods:
        raise ValueError(f"{shown.name} has no method {method!r}.")
    if point not in shown.points:
        raise ValueError(f"{shown.name} has no setting {point!r}.")
    if category is not None and category not in shown.categories:
        raise ValueError(f"{shown.name} has no category {category!r}.")
    return shown, method, point, category


def _export_result(request: Event) -> Event:
    """The whole result as a file's content: kind "csv" or "json"."""
    shown = RESULTS.get(str(request["result"]))
    if request.get("kind") == "csv":
        return {"name": f"{shown.name}.csv", "text": csv_text(shown.result.rows)}
    return {"name": f"{shown.name}.json", "text": json.dumps(shown.result.to_dict(), ensure_ascii=False)}


def _open_result(request: Event) -> Event:
    """Keeps an uploaded file's text as a result. All that the page will ask for is drawn once before it is let in."""
    shown = results.uploaded(str(request["text"]), str(request["name"])[:80])
    try:
        for point in shown.points:
            for method in shown.result.config.methods:
                json.dumps(exhibits_view(shown, method, point, None), allow_nan=False)
        json.dumps(result_view("", shown), allow_nan=False)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise ValueError(f"This benchmark result is damaged ({type(error).__name__}: {error}).") from None
    name = RESULTS.add(shown)
    return {"result": name}


fetch_result = answered(_fetch_result)
fetch_exhibits = answered(_fetch_exhibits)
fetch_questions = answered(_fetch_questions)
export_result = answered(_export_result)
open_result = answered(_open_result)


# ---- from a row to its race --------------------------------------------------------------------------------


def race_query(shown: Shown, row: Row) -> str | None:
    """The Race page's query for this row's prompt, noise and settings; None where the Race could not run it."""
    config, prompt = shown.at(row.point).config, next(
        (q.prompt for q in shown.result.questions if q.question_id == row.question_id), ""
    )  # fmt: skip
    drafts = config.num_speculative_tokens
    if not config.chained and row.method in DRAFTING:
        return None
    if drafts is None and shown.result.adapter_of(row.method):
        drafts = shown.result.drafter(row.method).longest
    try:
        return RaceSettings.parse(
            prompt=prompt, seed=row.seed, max_new_tokens=config.max_new_tokens, temperature=config.temperature,
            top_k=config.top_k, top_p=config.top_p, draft_budget=config.draft_budget,
            num_speculative_tokens=drafts, method=row.method if row.method in RACE_METHODS else "pqd",
        ).query()  # fmt: skip
    except ValueError:
        return None


def is_default(shown: Shown) -> bool:
    """Whether the Race, which runs the default model in float32, repeats this result's texts."""
    e = shown.result.environment
    own = (e.get("adapter") or {}).get("sha256")
    return bool(own) and own == _default_adapter() and e.get("dtype") == "float32"


@lru_cache(maxsize=1)
def _default_adapter() -> str | None:
    try:
        return adapter_sha256(adapters_folder() / DEFAULT_ADAPTER)
    except OSError:
        return None
