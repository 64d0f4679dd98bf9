"""What a benchmark's rows amount to: counts, ratios within one run, medians, intervals, tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..methods import BASELINE, PEER, TABLE
from ..speedup import CHANGED, is_steady, too_fast
from ..statistics import bootstrap_ratio, interval, resampled
from .rows import Row, baseline_point


def summarise(rows: Iterable[Row]) -> dict[str, Any]:
    """{method: figures, with by_category} of rows of one point.

    Speed-ups are ratios of ms per token to ar's and to transformers' generate, over the questions that both
    answered in this run. Questions whose tries took very different times are left out. Where the speed-up behind the
    prompt exceeds the tokens per call, or most questions are left out, the machine's speed changed. Then there is no
    speed-up, and speedup_note says so.
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
    ours, peers = [r for r in base if r.method == BASELINE], [r for r in base if r.method == PEER]
    timed = all(r.seconds > 0 for r in rows)  # rows without times only count
    per_token = [1e3 * r.seconds / r.num_tokens for r in rows if r.num_tokens and timed]
    return {
        "num_questions": len(rows),
        "num_tokens": tokens,
        "num_calls": calls,
        "tokens_per_call": _ratio(tokens, calls),
        "tokens_per_call_interval": bootstrap_ratio([(r.num_tokens, r.num_calls) for r in rows]),
        "mean_accepted_length": 1 + accepted / len(verified) if verified else None,
        "acceptance_rate": _ratio(accepted, drafted),
        "num_drafted": drafted,
        "seconds": seconds if timed else None,
        "tokens_per_second": _ratio(tokens, seconds) if timed else None,
        "ms_per_token": _ratio(1e3 * seconds, tokens) if timed else None,
        "ms_per_token_interval": bootstrap_ratio([(1e3 * r.seconds, r.num_tokens) for r in rows]) if timed else None,
        "ms_per_token_median": float(np.median(per_token)) if per_token else None,
        "peak_memory_mb": max((r.peak_memory_mb for r in rows if r.peak_memory_mb is not None), default=None),
        **speedups(rows, ours, peers),
        **_over_own_shape(rows, ours),
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


def _over_own_shape(rows: Sequence[Row], ours: Sequence[Row]) -> dict[str, Any]:
    """The speed-up over ar in calls of one row, ar's own best shape. Nothing where ar ran in one shape only."""
    shaped = [replace(r, seconds=r.own_shape_ms * r.num_tokens / 1e3) for r in ours if r.own_shape_ms is not None]
    return {"speedup_vs_own_shape": speedup(rows, shaped)} if shaped else {}


_SPEEDUPS = (
    "speedup_vs_ar", "speedup_interval", "speedup_vs_hf", "speedup_vs_hf_interval", "speedup_after_prompt",
)  # fmt: skip


def speedups(rows: Sequence[Row], ours: Sequence[Row], peers: Sequence[Row] = ()) -> dict[str, Any]:
    """The speed-ups of one method's rows over ar's and transformers', speedup_note, and how many questions were left
    out because their tries took very different times."""
    uneven = {r.question_id for r in (*rows, *ours) if not is_steady(r.tries)}
    steady = [r for r in rows if r.question_id not in uneven]
    left_out = len(rows) - len(steady)
    after = speedup([after_prompt(r) for r in steady], [after_prompt(r) for r in ours])
    if 2 * left_out > len(rows) or (after and too_fast(after, _tokens_per_call(steady))):
        return {**dict.fromkeys(_SPEEDUPS), "speedup_note": CHANGED, "num_unsteady": left_out}
    figures = (
        speedup(steady, ours), bootstrap_speedup(steady, ours), speedup(steady, peers),
        bootstrap_speedup(steady, peers), after,
    )  # fmt: skip
    return {**dict(zip(_SPEEDUPS, figures, strict=True)), "speedup_note": "", "num_unsteady": left_out}


def _tokens_per_call(rows: Sequence[Row]) -> float:
    """Tokens per call without first calls; infinite for outside methods, whose calls are not known."""
    if any(not TABLE[r.method].exact for r in rows):
        return float("inf")
    calls = sum(max(r.num_calls - 1, 0) for r in rows)
    return sum(after_prompt(r).num_tokens for r in rows) / calls if calls else float("inf")


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
    totals = resampled(figures, seed)
    return interval((totals[:, 3] / totals[:, 2]) / (totals[:, 1] / totals[:, 0]))


_COLUMNS = (
    "question_id", "category", "method", "point", "seed", "num_tokens", "num_calls", "tokens_per_call",
    "mean_accepted_length", "acceptance_rate", "seconds", "ms_per_token", "identical_to_ar", "divergence",
    "divergence_margin", "divergence_gap", "peak_memory_mb", "draft_rule", "speedup_after_prompt",
)  # fmt: skip


def csv_text(rows: Iterable[Row]) -> str:
    """A line per question and method, with a header."""
    rows = list(rows)
    plain = {(r.question_id, r.point): r for r in rows if r.method == BASELINE}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        base = plain.get((row.question_id, baseline_point(row.point)))
        figures = _figures([row], [base] if base else [])
        writer.writerow([figures.get(name) if not hasattr(row, name) else getattr(row, name) for name in _COLUMNS])
    return out.getvalue()
