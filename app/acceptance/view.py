"""A benchmark result as the browser draws it: the figures of every method. Its charts are in exhibits/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ptp_core.benchmark.tables import made_where

from .shown import Shown
from .words import LABELS, rounded, title

_ROUNDING = 1e-5


def entry_view(name: str, shown: Shown) -> dict[str, Any]:
    """One line of the list of results, with what can be compared in it."""
    return {
        "id": name,
        "name": shown.name,
        "title": title(shown),
        "origin": shown.origin,
        "drafting": [[point, shown.drafting(point)] for point in shown.points if shown.drafting(point)],
        "categories": shown.categories,
    }


def result_view(name: str, shown: Shown) -> dict[str, Any]:
    """The figures of every method at every point, for all questions and by category, and where they come from."""
    points = {}
    for point in shown.points:
        found = {**shown.summaries.get("", {}), **shown.summaries.get(point, {})}
        points[point] = {method: _method_view(figures) for method, figures in found.items()}
    return {
        **entry_view(name, shown),
        "where": {point: made_where(shown.at(point)) for point in points},
        "complete": shown.result.complete,
        "labels": LABELS,
        "points": points,
    }


def _method_view(figures: Mapping[str, Any]) -> dict[str, Any]:
    by_category = {c: _figures(f) for c, f in figures["by_category"].items()}
    return {"all": _figures(figures), "by_category": by_category}


def _figures(f: Mapping[str, Any]) -> dict[str, Any]:
    """Short keys, because there is one of these per method, category and point."""
    return {
        "q": f["num_questions"],
        "tokens": f["num_tokens"],
        "calls": f["num_calls"],
        "tpc": rounded(f["tokens_per_call"]),
        "tpc_i": _between(f["tokens_per_call_interval"]),
        "mal": rounded(f["mean_accepted_length"]),
        "acc": rounded(f["acceptance_rate"]),
        "drafted": f["num_drafted"],
        "ms": rounded(f["ms_per_token"]),
        "ms_i": _between(f["ms_per_token_interval"]),
        "speed": rounded(f["speedup_vs_ar"]),
        "speed_i": _between(f["speedup_interval"]),
        "why": f["speedup_note"],
        "hf": rounded(f["speedup_vs_hf"]),
        "same": f["identical_to_ar"],
        "rounded": sum(_by_rounding(d) for d in f["divergences"]),
    }


def _by_rounding(divergence: Mapping[str, Any]) -> bool:
    """Whether a text parts where u lies within rounding of an edge, or where two tokens are equally likely."""
    near = [divergence[name] for name in ("margin", "gap") if divergence[name] is not None]
    return bool(near) and min(near) < _ROUNDING


def _between(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else [round(v, 4) for v in values]
