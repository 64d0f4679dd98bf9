"""Live runs of the Acceptance page: a few questions, answered by several methods."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.race.races import BASELINE
from app.serving.models import ModelChoice, ModelShelf, gpu_seconds, models_allowed, on_gpu
from app.serving.store import TICKETS
from app.serving.values import REFUSALS, Event, error_event
from app.settings import MAX_NEW_TOKENS, MAX_PROMPT_TOKENS, RunSettings
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.environment import environment, identity
from ptp_core.benchmark.questions import Question, load_questions, typed_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.runner import Lineup, Progress, iter_bench
from ptp_core.methods import RACED
from ptp_core.model.ptp_model import PTPModel

from .results import SHIPPED_FOLDER, Results
from .shown import Shown

QUESTIONS_FILE = SHIPPED_FOLDER.parent / "questions" / "spec-bench-dev.jsonl"
METHODS = (BASELINE, *RACED)
_PROMPT_CHARACTERS = 20_000


def limits() -> tuple[int, int]:
    """(questions, tokens per answer) of a live run: small on a public Space."""
    return (50, MAX_NEW_TOKENS) if models_allowed() else (10, 64)


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
        chosen = tuple(m for m in METHODS if m == BASELINE or m in methods)  # what the others are measured against
        if len(chosen) < 2:
            raise ValueError("Choose a method to compare with plain decoding.")
        checked = RunSettings.parse(
            prompt="-", max_new_tokens=tokens, temperature=temperature, draft_budget=budget, seed=seed
        )
        if checked.decoding.max_new_tokens > longest:
            raise ValueError(f"At most {longest} tokens per answer can be run here.")
        asked = _own_questions(prompts, most) if source == "own" else _shipped_questions(count, most)
        config = BenchConfig(
            methods=chosen,
            max_new_tokens=checked.decoding.max_new_tokens,
            seed=checked.seed,
            temperature=checked.sampling.temperature,
            top_k=checked.sampling.top_k,
            top_p=checked.sampling.top_p,
            draft_budget=checked.decoding.draft_budget,
        )
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


class LiveBench:
    """Runs small benchmarks with the models of one shelf; what they bring joins `results`."""

    def __init__(self, shelf: ModelShelf, results: Results) -> None:
        self.shelf, self.results = shelf, results
        self.steps = on_gpu(bench_seconds)(self._steps)

    def run(self, choice: ModelChoice, ticket: str, raw: Mapping[str, Any]) -> Iterator[Event]:
        """Everything between a click on Run and the last answer; errors are events too, and rows so far stay.

        start (total) | loading (share, text) | progress (result, done, total, doing, left) | done (result) | error
        """
        try:
            live = LiveSettings.parse(**raw)
            yield {"event": "start", "total": len(live.questions) * len(live.config.methods)}
            yield from self.shelf.loading_events(choice)
            model = self.shelf.get(choice)
            Lineup(model).check(live.config)
            _check_lengths(model, live)
            live = replace(live, config=replace(live.config, threads=identity(model)["threads"]))
            result = BenchResult(
                environment(model, fresh_costs=False), live.config, list(live.questions), [], complete=False
            )
            yield from self._answers(choice, live, ticket, result)
        except REFUSALS as error:
            yield error_event(error)

    def _answers(self, choice: ModelChoice, live: LiveSettings, ticket: str, result: BenchResult) -> Iterator[Event]:
        """Adds one answer after the other to the result, which visitors can look at from the first one on."""
        name, known = f"{time.strftime('%H:%M:%S')}, {len(live.questions)} questions", None
        for step in self.steps(choice, live, ticket):
            if step.row is not None:
                result = replace(result, rows=[*result.rows, step.row], complete=step.done == step.total)
                known = known or secrets.token_urlsafe(12)
                self.results.put(known, Shown(result, name, "live"))
            told = {"result": known, "name": name, "done": step.done, "total": step.total}
            yield {"event": "progress", **told, "doing": step.doing, "left": step.seconds_left}
        if known is not None and result.complete:
            yield {"event": "done", "result": known}

    def _steps(self, choice: ModelChoice, live: LiveSettings, ticket: str) -> Iterator[Progress]:
        """The benchmark itself; a stopped ticket ends it before its next model call."""
        model = self.shelf.get(choice)
        yield from iter_bench(Lineup(model), live.questions, live.config, stop=lambda: TICKETS.is_stopped(ticket))


def bench_seconds(choice: ModelChoice, live: LiveSettings, ticket: str) -> int:
    """The GPU time of LiveBench.steps."""
    return gpu_seconds(live.config.max_new_tokens * len(live.questions) * len(live.config.methods))


def _check_lengths(model: PTPModel, live: LiveSettings) -> None:
    limit = min(MAX_PROMPT_TOKENS, model.max_context - live.config.max_new_tokens)
    for question in live.questions:
        length = len(model.encode(question.prompt, chat=True))
        if length > limit:
            raise ValueError(f"The prompt “{question.prompt[:40]}…” has {length:,} tokens; this lab takes {limit:,}.")
