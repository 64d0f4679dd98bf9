"""The Acceptance page's requests: which result is shown, what stands behind a bar, live runs, files."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from ptp_core.bench import Lineup, Progress, iter_bench
from ptp_core.bench_config import DRAFTING, BenchConfig
from ptp_core.checkpoint import adapter_sha256
from ptp_core.cost import cost_curve, shallow_costs
from ptp_core.figures import csv_text
from ptp_core.load import DEFAULT_ADAPTER, adapters_folder
from ptp_core.machine import identity
from ptp_core.model import PTPModel
from ptp_core.questions import Question, load_questions, typed_questions
from ptp_core.result import BenchResult
from ptp_core.rows import Row

from . import results, runtime
from .handlers import RACE_METHODS, RaceSettings
from .results import RESULTS, Shown
from .runtime import MAX_NEW_TOKENS, TICKETS, ModelChoice, models_allowed, on_gpu
from .views.acceptance import entry_view, result_view
from .views.exhibits import exhibits_view
from .views.questions import questions_view

QUESTIONS_FILE = results.SHIPPED_FOLDER.parent / "questions" / "spec-bench-dev.jsonl"
METHODS = ("ar", "ptp", "pqd", "shallow", "shallow_lookup", "prompt_lookup")
BUDGETS = ("auto", "0", "4", "8", "12", "16", "24", "32")
_PROMPT_CHARACTERS = 20_000
_ENOUGH_DRAFTS = 20
_GPU_SECONDS, _GPU_SECONDS_PER_TOKEN = 15, 0.12

Event = dict[str, Any]


def limits() -> tuple[int, int]:
    """(questions, tokens per answer) of a live run: small on a public Space."""
    return (50, MAX_NEW_TOKENS) if models_allowed() else (10, 64)


# ---- what is shown (no model work) ---------------------------------------------------------------------------


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


# ---- live runs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveSettings:
    """What a live run asks and how. `parse` says in a sentence what is wrong with raw input."""

    questions: tuple[Question, ...]
    config: BenchConfig

    @classmethod
    def parse(
        cls, source: str, prompts: str, count: Any, methods: Sequence[str], tokens: Any, temperature: Any, budget: Any,
        seed: Any,
    ) -> LiveSettings:  # fmt: skip
        most, longest = limits()
        unknown = set(methods) - set(METHODS)
        if unknown:
            raise ValueError(f"The lab does not run {', '.join(sorted(unknown))} here.")
        chosen = tuple(m for m in METHODS if m == "ar" or m in methods)  # ar is what the others are measured against
        if len(chosen) < 2:
            raise ValueError("Choose a method to compare with plain decoding.")
        checked = RaceSettings.parse(
            prompt="-", max_new_tokens=tokens, temperature=temperature, draft_budget=budget, seed=seed
        )
        if checked.max_new_tokens > longest:
            raise ValueError(f"At most {longest} tokens per answer can be run here.")
        asked = _own_questions(prompts, most) if source == "own" else _shipped_questions(count, most)
        config = BenchConfig(
            chosen, checked.max_new_tokens, checked.seed, checked.temperature, checked.top_k, checked.top_p,
            draft_budget=checked.draft_budget,
        )  # fmt: skip
        return cls(tuple(asked), config)


def _own_questions(prompts: str, most: int) -> list[Question]:
    lines = [line.strip() for line in prompts.splitlines() if line.strip()]
    if not lines:
        raise ValueError("Type a prompt first, one per line.")
    if len(lines) > most:
        raise ValueError(f"There are {len(lines)} prompts; at most {most} can be run here. They are still in the box.")
    if any(len(line) > _PROMPT_CHARACTERS for line in lines):
        raise ValueError(f"A prompt has more than {_PROMPT_CHARACTERS:,} characters. It is still in the box.")
    return typed_questions(lines)


def shipped_questions(limit: int | None = None) -> list[Question]:
    """The questions that come with the lab, or `limit` of them taken evenly over their kinds."""
    return load_questions(QUESTIONS_FILE, limit)


def _shipped_questions(count: Any, most: int) -> list[Question]:
    try:
        wanted = int(count)
    except (TypeError, ValueError):
        raise ValueError("The number of questions must be a number.") from None
    if not 1 <= wanted <= most:
        raise ValueError(f"The number of questions must lie between 1 and {most}.")
    return shipped_questions(wanted)


def gpu_seconds(choice: ModelChoice, live: LiveSettings, ticket: str) -> int:
    """What a visitor's quota is asked for."""
    answers = len(live.questions) * len(live.config.methods)
    return int(_GPU_SECONDS + _GPU_SECONDS_PER_TOKEN * live.config.max_new_tokens * answers)


@on_gpu(gpu_seconds)
def bench_steps(choice: ModelChoice, live: LiveSettings, ticket: str) -> Iterator[Progress]:
    """The benchmark itself; a stopped ticket ends it before its next model call."""
    model = runtime.SHELF.get(choice)
    yield from iter_bench(Lineup(model), live.questions, live.config, stop=lambda: TICKETS.is_stopped(ticket))


def run_live(choice: ModelChoice, ticket: str, **raw: Any) -> Iterator[Event]:
    """Everything between a click on Run and the last answer; errors are events too, and rows so far stay.

    start (total) | loading (share, text) | progress (result, done, total, doing, left) | done (result) | error
    """
    try:
        live = LiveSettings.parse(**raw)
        yield {"event": "start", "total": len(live.questions) * len(live.config.methods)}
        for share, text in runtime.SHELF.loading(choice):
            yield {"event": "loading", "share": share, "text": text}
        model = runtime.SHELF.get(choice)
        Lineup(model).check(live.config)
        _check_lengths(model, live)
        live = replace(live, config=replace(live.config, threads=identity(model)["threads"]))
        result = BenchResult(live_environment(model), live.config, list(live.questions), [], complete=False)
        name, known = f"{time.strftime('%H:%M:%S')}, {len(live.questions)} questions", None
        for step in bench_steps(choice, live, ticket):
            if step.row is not None:
                result = replace(result, rows=[*result.rows, step.row], complete=step.done == step.total)
                known = RESULTS.add(Shown(result, name, "live"), known)
            told = {"result": known, "name": name, "done": step.done, "total": step.total}
            yield {"event": "progress", **told, "doing": step.doing, "left": step.seconds_left}
        if known is not None and result.complete:
            yield {"event": "done", "result": known}
    except (ValueError, RuntimeError, FileNotFoundError, OSError) as error:
        yield {"event": "error", "message": str(error)}


def _check_lengths(model: PTPModel, live: LiveSettings) -> None:
    limit = min(runtime.MAX_PROMPT_TOKENS, model.max_context - live.config.max_new_tokens)
    for question in live.questions:
        length = len(model.encode(question.prompt, chat=True))
        if length > limit:
            raise ValueError(f"The prompt “{question.prompt[:40]}…” has {length:,} tokens; this lab takes {limit:,}.")


def live_environment(model: PTPModel) -> dict[str, Any]:
    """As ptp_core.machine.environment, with the cost curve that decoding plans by instead of a new measurement."""
    return {
        **identity(model),
        "fast_cpu": model.is_fast,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "cost_curve": asdict(cost_curve(model)) if model.adapter else None,
        "shallow_costs": asdict(shallow_costs(model)) if model.shallow is not None else None,
    }
