"""Live runs of the Acceptance page: a few questions, answered by several methods."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from app.race.races import BASELINE
from app.serving.gpu import gpu_seconds, on_gpu
from app.serving.models import ModelChoice, ModelShelf, models_allowed
from app.serving.store import TICKETS
from app.serving.values import REFUSALS, Event, error_event
from app.settings import MAX_NEW_TOKENS, MAX_PROMPT_TOKENS, RunSettings
from ptp_core.benchmark.config import BenchConfig, Job
from ptp_core.benchmark.environment import environment
from ptp_core.benchmark.questions import Question, load_questions, typed_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows import Row
from ptp_core.benchmark.runner import Bench, Lineup, iter_bench
from ptp_core.decoding.thread_choice import Choice
from ptp_core.decoding.threads import call_threads
from ptp_core.methods import RACED
from ptp_core.model.ptp_model import PTPModel

from .results import SHIPPED_FOLDER, Results
from .shown import Shown

QUESTIONS_FILE = SHIPPED_FOLDER.parent / "questions" / "spec-bench-dev.jsonl"
METHODS = (BASELINE, *RACED)
_PROMPT_CHARACTERS = 20_000
_COST_CALLS = 200  # model calls, about, for the costs of calls and drafts
_WARM_UP_CALLS = 20  # before a method's first answer in a process


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
        self.environment = on_gpu(lambda *_: gpu_seconds(_COST_CALLS))(self._environment)
        self.answer = on_gpu(answer_seconds)(self._answer)
        self._warm: WeakKeyDictionary[PTPModel, set[Job]] = WeakKeyDictionary()  # what its process has run before

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
            facts = self.environment(choice)
            live = replace(live, config=replace(live.config, threads=facts["threads"]))
            result = BenchResult(facts, live.config, list(live.questions), [], complete=False)
            yield from self._answers(choice, live, ticket, result)
        except REFUSALS as error:
            yield error_event(error)

    def _answers(self, choice: ModelChoice, live: LiveSettings, ticket: str, result: BenchResult) -> Iterator[Event]:
        """Adds one answer after the other to the result, which visitors can look at from the first one on."""
        name, known = f"{time.strftime('%H:%M:%S')}, {len(live.questions)} questions", None
        lineup, bench = Lineup(self.shelf.get(choice)), _AnswerByAnswer(self, choice, live.config, ticket)
        for step in iter_bench(lineup, live.questions, live.config, stop=bench.is_stopped, bench=bench):
            if step.row is not None:
                result = replace(result, rows=[*result.rows, step.row], complete=step.done == step.total)
                known = known or secrets.token_urlsafe(12)
                self.results.put(known, Shown(result, name, "live"))
            told = {"result": known, "name": name, "done": step.done, "total": step.total}
            share = step.done / step.total
            yield {"event": "progress", **told, "doing": step.doing, "left": step.seconds_left, "reached": share}
        if known is not None and result.complete:
            yield {"event": "done", "result": known}

    def _environment(self, choice: ModelChoice) -> dict[str, Any]:
        """The facts of a run, with the costs that decoding plans by: measured where the model runs."""
        return environment(self.shelf.get(choice), fresh_costs=False, choice=Choice(call_threads(), "watched"))

    def _answer(
        self, choice: ModelChoice, config: BenchConfig, ticket: str, question: Question, ids: Sequence[int], job: Job,
        seed: int, references: dict[str, Row],
    ) -> Row | None:  # fmt: skip
        """One answer; None if its ticket is stopped, which is asked before each model call.

        On a ZeroGPU Space this runs in a process of its own, which no ticket reaches: there an answer comes to its end.
        """
        model = self.shelf.get(choice)
        bench = Bench(Lineup(model), config, stop=lambda: TICKETS.is_stopped(ticket))
        warm = self._warm.setdefault(model, set())
        if job not in warm:
            bench.warm_up([job])
            warm.add(job)
        return bench.measured(question, ids, job, seed, references)


@dataclass(frozen=True)
class _AnswerByAnswer:
    """Asks for a benchmark's answers one by one: each is a GPU request of its own, and none is a long one."""

    runner: LiveBench
    choice: ModelChoice
    config: BenchConfig
    ticket: str

    def is_stopped(self) -> bool:
        return TICKETS.is_stopped(self.ticket)

    def warm_up(self, jobs: Sequence[Job]) -> None:
        """Nothing: what answers warms itself up."""

    def measured(
        self, question: Question, ids: Sequence[int], job: Job, seed: int, references: dict[str, Row]
    ) -> Row | None:
        """See Bench.measured."""
        return self.runner.answer(self.choice, self.config, self.ticket, question, ids, job, seed, references)


def answer_seconds(choice: ModelChoice, config: BenchConfig, *_: Any) -> int:
    """The GPU time of LiveBench.answer."""
    return gpu_seconds(config.max_new_tokens + _WARM_UP_CALLS)


def _check_lengths(model: PTPModel, live: LiveSettings) -> None:
    limit = min(MAX_PROMPT_TOKENS, model.max_context - live.config.max_new_tokens)
    for question in live.questions:
        length = len(model.encode(question.prompt, chat=True))
        if length > limit:
            raise ValueError(f"The prompt “{question.prompt[:40]}…” has {length:,} tokens; this lab takes {limit:,}.")
