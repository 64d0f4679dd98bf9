"""A result's tables as Markdown, and their place in a text that keeps them between markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..methods import AHEAD, BASELINE, BRANCHES, LOOKUP, TABLE
from .config import BenchConfig
from .result import BenchResult

_BETWEEN = re.compile(r"(<!-- figures -->)\n(?:.*\n)*?(<!-- end of figures -->)")
_IDLE_LOAD = 0.7  # processes beside the run's own threads that a minute's average may show
_SWEEP_HEAD = "tokens per call | ms per token | speed-up over ar"


def tables_of(result: BenchResult) -> str:
    """What was measured where, then the methods, or each sweep's points."""
    parts = [made_where(result)]
    if result.methods:
        parts += [markdown_table(result.methods), *speed_notes(result.methods)]
    for name in dict.fromkeys(p.field for p in result.config.sweep):
        parts.append(sweep_table(result, name))
    return "\n\n".join(parts)


def readme_tables(result: BenchResult) -> str:
    """The tables of a text for readers: methods, then PQD and the peers by category."""
    shown = [m for m in result.methods if TABLE[m].drafts in (BRANCHES, AHEAD, LOOKUP) and TABLE[m].sees_u]
    return "\n\n".join([tables_of(result), category_table(result.methods, shown)])


def speed_notes(summary: dict[str, Any], where: str = "") -> list[str]:
    """A sentence for each method whose times make no speed-up, or whose unsteady answers were left out of it."""
    notes = []
    for method, f in summary.items():
        if f["speedup_note"]:
            notes.append(f"{method}{where}: {f['speedup_note']}")
        elif f["num_unsteady"]:
            left_out = f"{f['num_unsteady']} of {f['num_questions']}"
            notes.append(f"{method}{where}: {left_out} answers took very different times and are left out of speed.")
    return notes


def made_where(result: BenchResult) -> str:
    """One sentence: machine, model, adapter, questions, settings, date."""
    e, c = result.environment, result.config
    adapter = e["adapter"]["name"] if e.get("adapter") else "no adapter"
    stopped = "" if result.complete else " Stopped before the end."
    if (e.get("load_average") or 0) > e["threads"] + _IDLE_LOAD:
        stopped += f" The machine was busy with other work (load {e['load_average']:.1f}): mistrust the times."
    threads = _thread_words(e)
    tries = f", median of {c.repeats} tries" if c.repeats > 1 else ""
    return (
        f"{e['model']} with {adapter}, {e['device']}, {threads}, {e['dtype']}, {e['date']}: "
        f"{len(result.questions)} questions, up to {c.max_new_tokens} new tokens, temperature {c.temperature:g}, "
        f"top-k {c.top_k}, top-p {c.top_p:g}, draft budget {c.draft_budget}{tries}{_rule_words(c)}.{stopped}"
    )


def _thread_words(e: dict[str, Any]) -> str:
    """How many threads, and the times by which they were chosen."""
    words = f"{e['threads']} thread" + "s" * (e["threads"] > 1)
    ms = (e.get("thread_choice") or {}).get("ms") or {}
    return words + (f" ({', '.join(f'with {n} a call took {ms[n]} ms' for n in ms)})" if ms else "")


def _rule_words(config: BenchConfig) -> str:
    """How u-blind drafts were made, where that is not older results' only way."""
    swept = any(p.field == "draft_rule" for p in config.sweep)
    knows = any("draft_rule" in TABLE[m].options for m in config.methods)
    named = knows and config.draft_rule == "argmax" and not swept
    return ", u-blind drafts by argmax" if named else ""


def sweep_table(result: BenchResult, field: str) -> str:
    """A row per value of the swept field and method."""
    points = [p for p in result.config.sweep if p.field == field]
    lines = [f"| {field} | method | {_SWEEP_HEAD} |", "|---" * 5 + "|"]
    summaries = result.points
    for point in points:
        for method, f in summaries.get(point.name, {}).items():
            interval = f["speedup_interval"]
            between = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval and method != BASELINE else ""
            ratio = "–" if f["speedup_vs_ar"] is None else f"{f['speedup_vs_ar']:.2f}{between}"
            lines.append(
                f"| {point.value} | {method} | {f['tokens_per_call']:.2f} | {_number(f['ms_per_token'], 1)} | {ratio} |"
            )
    notes = [note for p in points for note in speed_notes(summaries.get(p.name, {}), f" at {p.name}")]
    return "\n\n".join(["\n".join(lines), *notes])


def write_between_markers(path: Path, result: BenchResult) -> None:
    """Replaces what stands between the markers of `path`; ValueError if it has none or the run was stopped."""
    if not result.complete:
        raise ValueError("This run was stopped before its end; finish it before its figures go into a text.")
    path.write_text(replaced(path.read_text(encoding="utf-8"), readme_tables(result), str(path)), encoding="utf-8")


def replaced(text: str, tables: str, name: str) -> str:
    """The text with these tables between its markers."""
    new, count = re.subn(_BETWEEN, lambda m: f"{m[1]}\n{tables}\n{m[2]}", text)
    if count != 1:
        raise ValueError(f"{name} needs the markers <!-- figures --> and <!-- end of figures --> once each.")
    return new


# ---- tables ----------------------------------------------------------------------------------------------

_OWN_SHAPE = "speedup_vs_own_shape"
_HEAD = (
    "tokens per call | accepted length | acceptance | ms per token | speed-up over ar | over hf_generate "
    "| identical to ar | peak MB"
)


def markdown_table(summary: dict[str, Any]) -> str:
    """The headline figures as a Markdown table, a row per method."""
    shapes = any(_OWN_SHAPE in f for f in summary.values())  # ar ran in two
    head = _HEAD.replace("over ar |", "over ar, same shape | over ar, own best shape |") if shapes else _HEAD
    lines = [f"| method | {head} |", "|---" * (9 + shapes) + "|"]
    return "\n".join(lines + [f"| {method} | {_cells(f, shapes)} |" for method, f in summary.items()])


def category_table(summary: dict[str, Any], methods: Sequence[str] | None = None) -> str:
    """The same figures by category: a row per category and method."""
    chosen = [m for m in methods or list(summary) if m in summary]
    categories = sorted({c for m in chosen for c in summary[m]["by_category"]})
    lines = [f"| category | method | {_HEAD} |", "|---" * 10 + "|"]
    for c in categories:
        lines += [
            f"| {c} | {m} | {_cells(summary[m]['by_category'][c])} |" for m in chosen if c in summary[m]["by_category"]
        ]
    return "\n".join(lines)


def _cells(f: dict[str, Any], shapes: bool = False) -> str:
    same = f["identical_to_ar"]
    return " | ".join(
        [
            _number(f["tokens_per_call"]),
            _number(f["mean_accepted_length"]),
            "–" if f["acceptance_rate"] is None else f"{100 * f['acceptance_rate']:.0f} %",
            _number(f["ms_per_token"], 1),
            _number(f["speedup_vs_ar"]) + _range(f["speedup_interval"]),
            *([_number(f.get(_OWN_SHAPE))] if shapes else []),
            _number(f["speedup_vs_hf"]),
            "–" if same is None else f"{same[0]} of {same[1]}",
            _number(f["peak_memory_mb"], 0),
        ]
    )


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _range(interval: Sequence[float] | None) -> str:
    if interval is None or interval[0] == interval[1]:
        return ""
    return f" ({interval[0]:.2f} to {interval[1]:.2f})"
