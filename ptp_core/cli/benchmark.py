"""The commands around a benchmark: `bench` runs one, `results` shows a finished one as tables and pages."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..methods import AHEAD_METHODS, BASELINE, PAPER_METHOD, SETS, SWEPT_FIELDS, TABLE
from .options import Bar, from_options, load_for, model_options, parsed_budget, sampling_options

if TYPE_CHECKING:
    from ..benchmark.config import BenchConfig
    from ..benchmark.questions import Question
    from ..benchmark.result import BenchResult
    from ..benchmark.runner import Lineup
    from ..decoding.thread_choice import Choice


# ---- bench -----------------------------------------------------------------------------------------------


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--questions", metavar="FILE", help="JSONL with turns or prompt")
    parser.add_argument("--prompt", action="append", metavar="TEXT", help="a question of one's own; repeatable")
    parser.add_argument("--limit", type=int, help="so many questions, evenly over the file")
    parser.add_argument(
        "--methods",
        default=f"{BASELINE},{PAPER_METHOD}",
        help=f"comma-separated: {', '.join(TABLE)}; or sets of them: {', '.join(SETS)}. All is less what needs an "
        "assistant",
    )
    sampling_options(parser)
    parser.add_argument("--chained", type=int, choices=(0, 1), help="0: leave the adapter's chain head aside")
    parser.add_argument(
        "--sweep", action="append", default=[], metavar="FIELD=VALUE,...",
        help=f"run the methods at each of these values as well; fields: {', '.join(SWEPT_FIELDS)}; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, default=1, help="tries of each answer, of which the one of median time counts"
    )
    model_options(parser)
    parser.add_argument("--independent-adapter", help="u-blind adapter for `independent`; folder or hub id")
    parser.add_argument("--assistant", metavar="MODEL", help="smaller model of the same vocabulary, for hf_assisted")
    parser.add_argument("--json", metavar="OUT", help="result; rows so far are in OUT.rows.jsonl")
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on from there")
    parser.add_argument("--fresh", action="store_true", help="forget the rows of a stopped run")
    parser.add_argument("--profile", action="store_true", help="print (and keep) where a call's time goes")
    _output_options(parser)


def _bench(options: argparse.Namespace) -> None:
    from ..benchmark.config import BenchConfig, parse_sweep
    from ..benchmark.questions import load_questions, typed_questions
    from ..benchmark.rows_file import kept_threads
    from ..benchmark.runner import Lineup
    from ..decoding.thread_choice import settle_threads

    sweep = tuple(point for text in options.sweep for point in parse_sweep(text))
    methods, budget = _methods(options.methods), parsed_budget(options.draft_budget)
    config = from_options(BenchConfig, options, methods=methods, draft_budget=budget, sweep=sweep)
    if options.questions and options.prompt:
        raise ValueError("Give --questions or --prompt, not both.")
    if not (options.questions or options.prompt):
        raise ValueError("Nothing is asked: give --questions FILE or --prompt TEXT.")
    questions = (
        load_questions(options.questions, options.limit) if options.questions else typed_questions(options.prompt)
    )
    model = load_for(options)
    independent = None
    if options.independent_adapter:
        independent = load_for(argparse.Namespace(**{**vars(options), "adapter": options.independent_adapter}))
    choice = settle_threads(model, None if options.fresh else kept_threads(_rows_file(options)))
    config = replace(config, threads=choice.threads, methods=_methods(options.methods, model.offers))
    result = _run(Lineup(model, independent, options.assistant), questions, config, options, choice)
    if options.profile:
        from ..benchmark.profile import profile_table

        print(profile_table(result.profile))
    print(_tables(result))
    _write_outputs(options, result)


def _methods(text: str, offers: Callable[[str], bool] = lambda part: True) -> tuple[str, ...]:
    """The methods that --methods names, those of a set in its place.

    offers: whether an adapter has a part. Methods of a set whose part it lacks are left out.
    """
    found: list[str] = []
    for word in text.split(","):
        mine = [name for name in SETS.get(word, ()) if (part := TABLE[name].needs) not in AHEAD_METHODS or offers(part)]
        found += mine if word in SETS else [word]
    return tuple(found)


def _rows_file(options: argparse.Namespace) -> Path | None:
    """Where the rows of a run lie that was stopped."""
    return Path(options.json + ".rows.jsonl") if options.json else None


def _run(
    lineup: Lineup, questions: list[Question], config: BenchConfig, options: argparse.Namespace, choice: Choice
) -> BenchResult:
    """Runs or goes on, writes the result if it has a place; says so where it stopped early."""
    from ..benchmark.environment import environment
    from ..benchmark.profile import profile_methods
    from ..benchmark.result import BenchResult
    from ..benchmark.runner import iter_bench

    out, rows_file = Path(options.json) if options.json else None, _rows_file(options)
    if options.fresh and rows_file:
        rows_file.unlink(missing_ok=True)
    end = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    rows, total = [], 0
    with Bar() as bar:
        for progress in iter_bench(lineup, questions, config, rows_file, lambda: time.monotonic() > end):
            total = progress.total
            rows += [progress.row] if progress.row else []
            left = progress.seconds_left
            bar.update(progress.done / total, progress.doing + (f", {left:.0f} s left" if left is not None else ""))
    complete = len(rows) == total
    profile = profile_methods(lineup.model, questions, config) if options.profile and complete else {}
    facts = environment(lineup.model, lineup.independent, lineup.assistant, choice=choice)
    result = BenchResult(facts, config, questions, rows, complete, profile)
    if out:
        result.to_json(out)
        if complete and rows_file:
            rows_file.unlink()
    if not complete:
        print(f"stopped after {len(rows)} of {total} answers; the same command goes on from there", file=sys.stderr)
    return result


# ---- results ---------------------------------------------------------------------------------------------


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("result", help="JSON of a finished benchmark")
    _output_options(parser)


def _results(options: argparse.Namespace) -> None:
    from ..benchmark.result import BenchResult

    result = BenchResult.from_json(options.result)
    print(_tables(result))
    _write_outputs(options, result)


def _output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", metavar="FILE", help="a line per question and method")
    parser.add_argument("--table", metavar="FILE", help="the tables as Markdown")
    parser.add_argument("--html", metavar="FILE", help="every figure as a page of its own")
    parser.add_argument("--readme", metavar="FILE", help="put the tables between this file's markers")


def _tables(result: BenchResult) -> str:
    from ..benchmark.tables import tables_of

    return tables_of(result)


def _write_outputs(options: argparse.Namespace, result: BenchResult) -> None:
    from ..benchmark.summary import csv_text
    from ..benchmark.tables import write_between_markers

    if options.csv:
        Path(options.csv).write_text(csv_text(result.rows), encoding="utf-8")
    if options.table:
        Path(options.table).write_text(_tables(result) + "\n", encoding="utf-8")
    if options.readme:
        write_between_markers(Path(options.readme), result)
    if options.html:
        from ..benchmark.charts import write_bench_report

        write_bench_report(result, options.html)


BENCH_COMMANDS = {
    "bench": (_add_bench, _bench, "run a question set over several methods"),
    "results": (_add_results, _results, "show a benchmark's result as tables, CSV or a page"),
}
