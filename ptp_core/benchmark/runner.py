"""Benchmark: question sets over methods, interleaved question by question, exactness checked.

    python -m ptp_core bench --questions FILE.jsonl --methods ar,pqd,hf_generate --json OUT.json

Every method answers a question, at every point of a sweep, before the next question. So the machine's drift hits all
alike. Repeats run in rounds of changing order, and the row of median time counts. Rows are kept as they come, and a
stopped run continues from there. Figures are counts and measured seconds of model calls, planning included. Ratios are
taken within one run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..decoding.decode import new_trace, start_decoding
from ..decoding.measure_costs import cost_curve, draft_costs
from ..decoding.threads import fixed_threads
from ..engine.switch import engine_is, one_row
from ..methods import AHEAD, BASELINE, TABLE
from ..model.parts import PARTS
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..trace import Trace
from .bounds import gains_of
from .config import BenchConfig, Job
from .environment import PeakMemory, identity
from .questions import Question
from .row_checks import check_rows
from .rows import Row, baseline_point, make_row, probability_gap
from .rows_file import RowsFile
from .transformers_peers import Peers

_WARM_UP_TOKENS = 8


@dataclass(frozen=True)
class Progress:
    """done of total answers are there. row is the answer just finished (or read from an earlier part of the run);
    where it is None, `doing` is about to start. seconds_left is None until something was measured."""

    done: int
    total: int
    row: Row | None
    doing: str
    seconds_left: float | None


@dataclass(frozen=True)
class Lineup:
    """The models of a run: the one that decodes, a u-blind one, an assistant for the peer that needs one."""

    model: PTPModel
    independent: PTPModel | None = None
    assistant: str | None = None

    def check(self, config: BenchConfig) -> None:
        """ValueError with a sentence if some method cannot run."""
        needs = {TABLE[method].needs: method for method in config.methods}
        if "adapter" in needs:
            self.model.require_adapter()
        for part in set(needs) & set(PARTS):
            self.model.require_part(part)
        if "assistant" in needs and self.assistant is None:
            raise ValueError(
                f"{needs['assistant']} needs an assistant model of the same vocabulary: name one with --assistant."
            )
        if self.independent is not None:
            if self.independent.require_adapter().reads_u:
                raise ValueError(f"{self.independent.require_adapter().name} reads u, so it is no u-blind adapter.")
            ours, theirs = ((each.weights_id, each.dtype) for each in (self.model, self.independent))
            if ours != theirs:
                raise ValueError("The u-blind adapter must sit on the same target, in the same dtype.")

    def for_method(self, method: str) -> PTPModel:
        if self.independent is not None and not TABLE[method].sees_u:
            return self.independent
        return self.model


def iter_bench(
    lineup: Lineup,
    questions: Sequence[Question],
    config: BenchConfig,
    rows_file: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    bench: Answering | None = None,
) -> Iterator[Progress]:
    """Runs what is missing, answer by answer; rows of an earlier part of the run come first.

    bench gives the answers, by default here. stop is asked before every model call; a stopped answer is dropped and
    the run ends. Closing the generator stops as well. Raises ValueError where a method cannot run or a question is too
    long, MixedSettings where rows_file holds rows of other settings.
    """
    lineup.check(config)
    prompts = {question.question_id: prompt_ids(lineup.model, question) for question in questions}
    kept = RowsFile(rows_file, fingerprint(lineup, questions, config, prompts)) if rows_file else None
    rows = list(kept.rows) if kept else []
    check_rows(rows, questions)
    known = {(r.question_id, r.method, r.point): r for r in rows}
    jobs = config.jobs()
    if not {key[1:] for key in known} <= {(job.method, job.point_name) for job in jobs}:
        raise ValueError(f"{rows_file} holds rows of methods that are not run here. Start anew with --fresh.")
    clock = _Clock(len(questions), jobs, config.repeats, known)
    for i, row in enumerate(rows):
        yield Progress(i + 1, clock.total, row, "", None)
    if clock.done == clock.total:
        return
    bench = bench or Bench(lineup, config, stop)
    bench.warm_up(jobs)
    for i, question in enumerate(questions):
        references = {point: r for (q, m, point), r in known.items() if q == question.question_id and m == BASELINE}
        missing = [job for job in jobs if (question.question_id, job.method, job.point_name) not in known]
        tries: dict[Job, list[Row]] = {job: [] for job in missing}
        for turn in range(config.repeats):
            for job in missing if turn % 2 == 0 else reversed(missing):  # nobody always follows the same one
                doing = ", ".join(filter(None, (question.category, job.method, job.point_name)))
                yield Progress(clock.done, clock.total, None, doing, clock.seconds_left)
                start = time.perf_counter()
                ids = prompts[question.question_id]
                found = None if stop() else bench.measured(question, ids, job, config.seed + i, references)
                if found is None:
                    return
                if job.method == BASELINE:
                    references[job.point_name] = found
                tries[job].append(found)
                clock.took(job, time.perf_counter() - start)
                if len(tries[job]) < config.repeats:
                    continue
                row = sorted(tries[job], key=lambda r: r.seconds)[(config.repeats - 1) // 2]
                row = replace(row, tries=[r.seconds for r in tries[job]])
                if kept:
                    kept.append(row)
                clock.finished()
                yield Progress(clock.done, clock.total, row, doing, clock.seconds_left)


def prompt_ids(model: PTPModel, question: Question) -> list[int]:
    """The question's tokens in the chat template, rendered once for all methods: a template may hold a clock.

    ValueError, naming the question, if the model has no room for it and an answer.
    """
    try:
        ids = model.encode(question.prompt, chat=True)
        model.token_limit(ids, 1)
    except ValueError as error:
        raise ValueError(f"Question {question.question_id}: {error}") from None
    return ids


def run_bench(
    lineup: Lineup, questions: Sequence[Question], config: BenchConfig, rows_file: Path | None = None
) -> list[Row]:
    """All rows of iter_bench."""
    return [p.row for p in iter_bench(lineup, questions, config, rows_file) if p.row is not None]


def fingerprint(
    lineup: Lineup, questions: Sequence[Question], config: BenchConfig, prompts: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """Everything that two rows must share to stand in one result. prompts: the tokens of each question."""
    settings = asdict(config)
    settings["sweep"] = [p.name for p in config.sweep]
    return {
        "config": settings,
        **identity(lineup.model, lineup.independent, lineup.assistant),
        "questions": _short_hash([asdict(q) for q in questions]),
        "prompts": _short_hash([list(prompts[q.question_id]) for q in questions]),
    }


def _short_hash(data: Any) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]


class Answering(Protocol):
    """What gives a benchmark its answers: Bench, or something that asks one elsewhere."""

    def warm_up(self, jobs: Sequence[Job]) -> None:
        """Sees to it that nobody's first call is timed."""

    def measured(
        self, question: Question, ids: Sequence[int], job: Job, seed: int, references: dict[str, Row]
    ) -> Row | None:
        """The row of one answer, None if it was stopped. ids: the question's tokens; references: ar's by point."""


class Bench:
    """One answer at a time, by any method."""

    def __init__(self, lineup: Lineup, config: BenchConfig, stop: Callable[[], bool]) -> None:
        self._lineup, self._config, self._stop = lineup, config, stop
        outside = any(not TABLE[method].exact for method in config.methods)
        self._peers = Peers(lineup.model, lineup.assistant) if outside else None
        adapter = lineup.model.adapter
        self._order = adapter.order if adapter else "probability"
        self._memory = PeakMemory(lineup.model.device)
        self._one_row = one_row(lineup.model)

    def warm_up(self, jobs: Sequence[Job]) -> None:
        """Every method once, and the cost curves that "auto" plans with: nobody's first call is timed."""
        question = Question("", "", "Hello there.")
        ids = self._lineup.model.encode(question.prompt, chat=True)
        for job in jobs:
            if TABLE[job.method].by_slots and self._config.at(job.point).draft_budget == "auto":
                cost_curve(self._lineup.for_method(job.method))
            if TABLE[job.method].drafts == AHEAD and self._config.at(job.point).draft_budget == "auto":
                draft_costs(self._lineup.model, TABLE[job.method].needs)
        for job in {job.method: job for job in jobs}.values():
            self.answer(question, ids, job, 0, {}, _WARM_UP_TOKENS)

    def measured(
        self, question: Question, ids: Sequence[int], job: Job, seed: int, references: dict[str, Row]
    ) -> Row | None:
        """As `answer`, with the most memory that it took; None before its first call, too, if the run is stopped."""
        if self._stop():
            return None
        self._memory.reset()
        row = self.answer(question, ids, job, seed, references)
        return row and replace(row, peak_memory_mb=self._memory.read())

    def answer(
        self, question: Question, ids: Sequence[int], job: Job, seed: int, references: dict[str, Row],
        most: int | None = None,
    ) -> Row | None:  # fmt: skip
        """The row, or None if it was stopped. ids are the question's tokens, references ar's rows by point; a missing
        one is decoded."""
        config = self._config.at(job.point)
        most = config.max_new_tokens if most is None else most
        model = self._lineup.for_method(job.method)
        sampling = config.sampling(self._order)
        if not TABLE[job.method].exact:
            assert self._peers is not None
            row = self._peers.answer(question, ids, job.method, sampling, most, seed)
            return replace(row, point=job.point_name)
        base = baseline_point(job.point_name)
        if job.method != BASELINE and base not in references:
            reference = self.answer(question, ids, Job(job.point if base else None, BASELINE), seed, references, most)
            if reference is None:
                return None
            references[base] = reference
        trace = self._decode(model, ids, job.method, NoiseTape(seed), config, most)
        if trace is None:
            return None
        compared = references.get(base) if job.method != BASELINE else None
        row = make_row(
            question.question_id, question.category, trace, compared.tokens if compared else trace.tokens,
            model.label, gains_of(model, config, job.method), job.point_name, compared.margin if compared else (),
        )  # fmt: skip
        if compared and row.divergence is not None:
            row = replace(row, divergence_gap=probability_gap(model, ids, compared.tokens, row.tokens, sampling))
        if job.method == BASELINE and self._one_row is not None:
            with engine_is(model, self._one_row):
                alone = self._decode(model, ids, job.method, NoiseTape(seed), config, most)
            if alone is None:
                return None
            row = replace(row, own_shape_ms=1e3 * alone.stats.seconds / alone.stats.num_tokens)
        return row

    def _decode(
        self, model: PTPModel, ids: Sequence[int], method: str, noise: NoiseTape, config: BenchConfig, most: int
    ) -> Trace | None:
        settings, sampling, steps = config.decoding(most), config.sampling(self._order), []
        with fixed_threads(config.threads):
            for step in start_decoding(model, ids, method, noise, sampling, settings):
                steps.append(step)
                if self._stop():
                    return None
        return new_trace(model, ids, method, noise, sampling, "", steps, settings)


class _Clock:
    """What is done and how long the rest will take, by what each job took so far."""

    def __init__(
        self, num_questions: int, jobs: Sequence[Job], repeats: int, known: dict[tuple[str, str, str], Row]
    ) -> None:
        self.total, self.done = num_questions * len(jobs), len(known)
        self._left = dict.fromkeys(jobs, num_questions * repeats)
        self._seconds: dict[Job, list[float]] = {job: [] for job in jobs}
        for _, method, point in known:
            self._left[next(j for j in jobs if (j.method, j.point_name) == (method, point))] -= repeats

    def took(self, job: Job, seconds: float) -> None:
        """One try of a job on one question."""
        self._left[job] -= 1
        self._seconds[job].append(seconds)

    def finished(self) -> None:
        """All tries of a job on one question."""
        self.done += 1

    @property
    def seconds_left(self) -> float | None:
        measured = [s for times in self._seconds.values() for s in times]
        if not measured:
            return None
        typical = sum(measured) / len(measured)
        means = {job: sum(times) / len(times) if times else typical for job, times in self._seconds.items()}
        return sum(means[job] * left for job, left in self._left.items())
