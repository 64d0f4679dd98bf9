"""What a benchmark's rows amount to: counts, ratios within one run, medians, intervals, tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .bench_config import baseline_point
from .rows import Row

_BOOTSTRAP_DRAWS = 2000
_PEER = "hf_generate"


def summarise(rows: Iterable[Row]) -> dict[str, Any]:
    """{method: figures, with by_category} of rows of one point.

    Speed-ups are ratios of ms per token to ar's and to transformers' generate, over the questions that both
    answered in this run.
    """
    return summarise_against(list(rows), list(rows))


def summarise_points(rows: Sequence[Row]) -> dict[str, Any]:
    """{point: {method: figures}} of a sweep, in the order in which the points were run; "" is no point."""
    result = {}
    for point in dict.fromkeys(row.point for row in rows):
        base = [r for r in rows if r.point == baseline_point(point)]
        result[point] = summarise_against([r for r in rows if r.point == point], base)
    return result


def summarise_against(rows: Sequence[Row], base: Sequence[Row]) -> dict[str, Any]:
    """As summarise, with the baselines' rows given apart."""
    result: dict[str, Any] = {}
    for method in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == method]
        result[method] = _figures(mine, base)
        result[method]["by_category"] = {
            c: _figures([r for r in mine if r.category == c], base) for c in sorted({row.category for row in mine})
        }
    return result


def _figures(rows: Sequence[Row], base: Sequence[Row]) -> dict[str, Any]:
    tokens, calls = sum(r.num_tokens for r in rows), sum(r.num_calls for r in rows)
    seconds = sum(r.seconds for r in rows)
    verified = [pair for r in rows for pair in r.verified]
    drafted, accepted = sum(d for d, _ in verified), sum(a for _, a in verified)
    compared = [r for r in rows if r.identical_to_ar is not None]
    ours, peers = [r for r in base if r.method == "ar"], [r for r in base if r.method == _PEER]
    per_token = [1e3 * r.seconds / r.num_tokens for r in rows if r.num_tokens]
    return {
        "num_questions": len(rows),
        "num_tokens": tokens,
        "num_calls": calls,
        "tokens_per_call": _ratio(tokens, calls),
        "tokens_per_call_interval": bootstrap_ratio([(r.num_tokens, r.num_calls) for r in rows]),
        "mean_accepted_length": 1 + accepted / len(verified) if verified else None,
        "acceptance_rate": _ratio(accepted, drafted),
        "num_drafted": drafted,
        "seconds": seconds,
        "tokens_per_second": _ratio(tokens, seconds),
        "ms_per_token": _ratio(1e3 * seconds, tokens),
        "ms_per_token_interval": bootstrap_ratio([(1e3 * r.seconds, r.num_tokens) for r in rows]),
        "ms_per_token_median": float(np.median(per_token)) if per_token else None,
        "peak_memory_mb": max((r.peak_memory_mb for r in rows if r.peak_memory_mb is not None), default=None),
        "speedup_vs_ar": speedup(rows, ours),
        "speedup_interval": bootstrap_speedup(rows, ours),
        "speedup_vs_hf": speedup(rows, peers),
        "speedup_vs_hf_interval": bootstrap_speedup(rows, peers),
        "speedup_after_prompt": speedup([after_prompt(r) for r in rows], [after_prompt(r) for r in ours]),
        "identical_to_ar": [sum(bool(r.identical_to_ar) for r in compared), len(compared)] if compared else None,
        "divergences": [
            {
                "question_id": r.question_id,
                "position": r.divergence,
                "margin": r.divergence_margin,
                "gap": r.divergence_gap,
            }
            for r in compared
            if not r.identical_to_ar
        ],
    }


def _ratio(a: float, b: float) -> float | None:
    return a / b if b else None


def after_prompt(row: Row) -> Row:
    """The row without its first call, which reads the prompt and costs every method the same."""
    if not row.calls:
        return replace(row, num_tokens=0, seconds=0.0)
    first = row.calls[0]
    return replace(row, num_tokens=row.num_tokens - first.emitted, seconds=row.seconds - first.ms / 1e3)


def _paired(rows: Sequence[Row], baseline: Sequence[Row]) -> np.ndarray:
    """(questions, 4): tokens and seconds of both methods on the questions that both answered."""
    theirs = {r.question_id: r for r in baseline}
    pairs = [(r, theirs[r.question_id]) for r in rows if r.question_id in theirs]
    return np.array([[r.num_tokens, r.seconds, b.num_tokens, b.seconds] for r, b in pairs], dtype=float).reshape(-1, 4)


def speedup(rows: Sequence[Row], baseline: Sequence[Row]) -> float | None:
    """The baseline's milliseconds per token over these rows', on the questions that both answered."""
    tokens, seconds, their_tokens, their_seconds = _paired(rows, baseline).sum(0)
    if not (tokens and seconds and their_tokens and their_seconds):
        return None
    return float((their_seconds / their_tokens) / (seconds / tokens))


def bootstrap_speedup(rows: Sequence[Row], baseline: Sequence[Row], seed: int = 0) -> list[float] | None:
    """95 % interval of the speed-up over questions drawn with replacement, both methods on the same draw."""
    figures = _paired(rows, baseline)
    if len(figures) < 2 or not (figures[:, :2] > 0).all():
        return None
    totals = _resampled(figures, seed)
    return _interval((totals[:, 3] / totals[:, 2]) / (totals[:, 1] / totals[:, 0]))


def bootstrap_ratio(pairs: Sequence[tuple[float, float]], seed: int = 0) -> list[float] | None:
    """95 % interval of sum(a) / sum(b) over questions drawn with replacement; None for fewer than two."""
    figures = np.array(pairs, dtype=float).reshape(-1, 2)
    if len(figures) < 2 or not (figures[:, 1] > 0).all():
        return None
    totals = _resampled(figures, seed)
    return _interval(totals[:, 0] / totals[:, 1])


def _resampled(figures: np.ndarray, seed: int) -> np.ndarray:
    """(draws, columns): sums over questions drawn with replacement."""
    draws = np.random.default_rng(seed).integers(0, len(figures), (_BOOTSTRAP_DRAWS, len(figures)))
    return figures[draws].sum(1)


def _interval(values: np.ndarray) -> list[float]:
    return [float(q) for q in np.quantile(values, [0.025, 0.975])]


# ---- tables ----------------------------------------------------------------------------------------------

_HEAD = (
    "tokens per call | accepted length | acceptance | ms per token | speed-up over ar | over hf_generate "
    "| identical to ar | peak MB"
)


def markdown_table(summary: dict[str, Any]) -> str:
    """The headline figures as a Markdown table, a row per method."""
    lines = [f"| method | {_HEAD} |", "|---" * 9 + "|"]
    return "\n".join(lines + [f"| {method} | {_cells(f)} |" for method, f in summary.items()])


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


def _cells(f: dict[str, Any]) -> str:
    same = f["identical_to_ar"]
    return " | ".join(
        [
            _number(f["tokens_per_call"]),
            _number(f["mean_accepted_length"]),
            "–" if f["acceptance_rate"] is None else f"{100 * f['acceptance_rate']:.0f} %",
            _number(f["ms_per_token"], 1),
            _number(f["speedup_vs_ar"]) + _range(f["speedup_interval"]),
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


_COLUMNS = (
    "question_id", "category", "method", "point", "seed", "num_tokens", "num_calls", "tokens_per_call",
    "mean_accepted_length", "acceptance_rate", "seconds", "ms_per_token", "identical_to_ar", "divergence",
    "divergence_margin", "divergence_gap", "peak_memory_mb",
)  # fmt: skip


def csv_text(rows: Iterable[Row]) -> str:
    """A line per question and method, with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        figures = _figures([row], [])
        writer.writerow([figures.get(name) if not hasattr(row, name) else getattr(row, name) for name in _COLUMNS])
    return out.getvalue()
