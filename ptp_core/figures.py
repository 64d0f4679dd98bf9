"""What a benchmark's rows amount to: counts, ratios within one run, intervals, a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_BOOTSTRAP_DRAWS = 2000


@dataclass(frozen=True)
class Row:
    """One question by one method. accepted lists (drafted, accepted) of every verifying call; divergence is
    the first position at which the text differs from ar's, with u's margin there."""

    question_id: str
    category: str
    method: str
    num_tokens: int
    num_calls: int
    seconds: float
    accepted: list[tuple[int, int]]
    identical_to_ar: bool | None
    divergence: int | None = None
    margin: float | None = None


def summarise(rows: Iterable[Row]) -> dict[str, Any]:
    """{method: figures, with by_category}: speed-ups are ratios of ms per token to ar's, in the same run."""
    rows = list(rows)
    methods = list(dict.fromkeys(row.method for row in rows))
    result: dict[str, Any] = {}
    for method in methods:
        mine = [row for row in rows if row.method == method]
        result[method] = _figures(mine, [row for row in rows if row.method == "ar"])
        categories = sorted({row.category for row in mine})
        result[method]["by_category"] = {
            c: _figures([r for r in mine if r.category == c], [r for r in rows if r.method == "ar" and r.category == c])
            for c in categories
        }
    return result


def _figures(rows: Sequence[Row], baseline: Sequence[Row]) -> dict[str, Any]:
    tokens, calls = sum(r.num_tokens for r in rows), sum(r.num_calls for r in rows)
    seconds = sum(r.seconds for r in rows)
    verified = [pair for r in rows for pair in r.accepted]
    drafted, accepted = sum(d for d, _ in verified), sum(a for _, a in verified)
    compared = [r for r in rows if r.identical_to_ar is not None]
    return {
        "num_questions": len(rows),
        "num_tokens": tokens,
        "num_calls": calls,
        "tokens_per_call": tokens / calls if calls else None,
        "mean_accepted_length": 1 + accepted / len(verified) if verified else None,
        "acceptance_rate": accepted / drafted if drafted else None,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds if seconds else None,
        "ms_per_token": 1e3 * seconds / tokens if tokens else None,
        "speedup_vs_ar": _speedup(rows, baseline),
        "speedup_interval": bootstrap_speedup(rows, baseline),
        "identical_to_ar": [sum(bool(r.identical_to_ar) for r in compared), len(compared)] if compared else None,
        "divergences": [
            {"question_id": r.question_id, "position": r.divergence, "margin": r.margin}
            for r in compared
            if not r.identical_to_ar
        ],
    }


def _speedup(rows: Sequence[Row], baseline: Sequence[Row]) -> float | None:
    mine, theirs = sum(r.num_tokens for r in rows), sum(r.num_tokens for r in baseline)
    if not mine or not theirs or not sum(r.seconds for r in rows):
        return None
    return (sum(r.seconds for r in baseline) / theirs) / (sum(r.seconds for r in rows) / mine)


def bootstrap_speedup(rows: Sequence[Row], baseline: Sequence[Row], seed: int = 0) -> list[float] | None:
    """95 % interval of the speed-up over questions drawn with replacement, both methods on the same draw."""
    theirs = {r.question_id: r for r in baseline}
    pairs = [(r, theirs[r.question_id]) for r in rows if r.question_id in theirs]
    if len(pairs) < 2:
        return None
    figures = np.array([[r.num_tokens, r.seconds, b.num_tokens, b.seconds] for r, b in pairs], dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(pairs), (_BOOTSTRAP_DRAWS, len(pairs)))
    totals = figures[draws].sum(1)  # (draws, 4)
    ratios = (totals[:, 3] / totals[:, 2]) / (totals[:, 1] / totals[:, 0])
    return [float(q) for q in np.quantile(ratios, [0.025, 0.975])]


def markdown_table(summary: dict[str, Any]) -> str:
    """The headline figures as a Markdown table, a row per method."""
    lines = [
        "| method | tokens per call | mean accepted length | ms per token | speed-up over ar | identical to ar |",
        "|---|---|---|---|---|---|",
    ]
    for method, f in summary.items():
        same = f["identical_to_ar"]
        low, high = f["speedup_interval"] or (None, None)
        interval = f" ({low:.2f} to {high:.2f})" if low is not None and method != "ar" else ""
        length = "–" if f["mean_accepted_length"] is None else f"{f['mean_accepted_length']:.2f}"
        equal = "–" if same is None else f"{same[0]} of {same[1]}"
        speed = f"{f['speedup_vs_ar']:.2f}{interval}" if f["speedup_vs_ar"] else "–"
        lines.append(
            f"| {method} | {f['tokens_per_call']:.2f} | {length} | {f['ms_per_token']:.1f} | {speed} | {equal} |"
        )
    return "\n".join(lines)
