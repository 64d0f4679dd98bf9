"""Studies that come with the lab: kinds of slots at equal numbers of targets. They are charts, without questions."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ptp_core.training.pretraining.study import Experiment, Point, Study

from .words import rounded

_WHAT = "Kinds of slots that learned as many targets. Whiskers are 95 % intervals."
_TRY = "Where u-blind slots are drawn, compare the others with them: they never hear of u."
_COLUMNS = ("experiment", "kind", "targets", "tokens_per_call", "low", "high", "ahead", "ahead_error", "right")


class Studies:
    """The studies in a folder, by their names. A folder that is not there holds none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def find(self, name: str) -> Study | None:
        return _read(self._folder / f"{name}.json") if name in self.names() else None


@lru_cache(maxsize=8)
def _read(path: Path) -> Study:
    return Study.from_json(path)


def entry_view(name: str, study: Study) -> dict[str, Any]:
    """One line of the list of results."""
    return {
        "id": name, "name": name, "title": f"{study.title} A study", "origin": "shipped", "drafting": [],
        "categories": [],
    }  # fmt: skip


def study_view(name: str, study: Study) -> dict[str, Any]:
    """A study in place of a result's figures: it has no methods."""
    view = {**entry_view(name, study), "study": True, "where": {"": ""}, "complete": True, "labels": {}}
    return {"view": {**view, "points": {"": {}}}, "method": "", "point": ""}


def study_exhibits(study: Study) -> list[dict[str, Any]]:
    """Two charts of each experiment: tokens per call, and right drafts by place."""
    return [view for one in study.experiments for view in (_tokens(one), _places(one)) if view is not None]


def _tokens(one: Experiment) -> dict[str, Any]:
    last = {kind: points[-1] for kind, points in one.kinds.items()}
    items = {kind: [_item(kind, point) for point in points] for kind, points in one.kinds.items()}
    ends = "; ".join(f"{kind}: {point.tokens_per_call:.2f}" for kind, point in last.items())
    shared = {**_words(one, "tokens", one.title, f"At the end, tokens per call. {ends}."), "y": "number", "base": 1}
    places = list(dict.fromkeys(_thousands(p.targets) for points in one.kinds.values() for p in points))
    if len(places) == 1:
        return {**shared, "kind": "rows", "items": [mine[-1] for mine in items.values()]}
    lines = [{"name": kind, "items": _placed(mine, places)} for kind, mine in items.items()]
    return {**shared, "kind": "lines", "items": [], "places": places, "lines": lines, "axis": "targets seen"}


def _placed(items: Sequence[dict[str, Any]], places: Sequence[str]) -> list[dict[str, Any]]:
    found = {item["place"]: item for item in items}
    return [found.get(place) or {"label": place, "value": None, "text": f"{place}: not measured"} for place in places]


def _item(kind: str, point: Point) -> dict[str, Any]:
    low, high = point.interval or (None, None)
    place = _thousands(point.targets)
    return {
        "label": kind, "place": place, "value": rounded(point.tokens_per_call), "low": rounded(low),
        "high": rounded(high), "text": f"{place} targets, {_said(point)}",
    }  # fmt: skip


def _places(one: Experiment) -> dict[str, Any] | None:
    last = {kind: points[-1] for kind, points in one.kinds.items() if points[-1].right}
    if not last:
        return None
    places = [str(k + 2) for k in range(max(len(point.right) for point in last.values()))]
    lines = [
        {
            "name": kind,
            "items": [
                {"label": kind, "value": rounded(share), "text": f"place {place}, right in {share:.1%}"}
                for place, share in zip(places, point.right, strict=False)
            ],
        }
        for kind, point in last.items()
    ]
    says = f"After {' or '.join(dict.fromkeys(_thousands(p.targets) for p in last.values()))} targets."
    shared = _words(one, "places", f"{one.title}: right by place", says)
    return {**shared, "kind": "lines", "items": [], "places": places, "lines": lines, "axis": "place", "y": "share"}


def _words(one: Experiment, what: str, title: str, says: str) -> dict[str, Any]:
    over = f"Start: {one.start}. Measured on {one.measure}; {one.machine}. Source: {one.source}"
    return {
        "id": f"{one.id}-{what}", "title": title, "what": _WHAT, "try": _TRY, "says": says, "over": over,
        "drill": False,
    }  # fmt: skip


def _said(point: Point) -> str:
    text = f"{point.tokens_per_call:.2f} tokens per call"
    if point.interval:
        text += f" (95 % {point.interval[0]:.2f} to {point.interval[1]:.2f})"
    if point.ahead:
        text += f", {point.ahead[0]:+.3f} beside u-blind on the same windows (standard error {point.ahead[1]:.3f})"
    return text


def _thousands(targets: int) -> str:
    if targets >= 100_000:
        return f"{targets / 1e6:.2f} M"
    return f"{round(targets / 1000)} k" if targets else "0"


def csv_of(study: Study) -> str:
    """A line per experiment, kind and number of targets, with a header. `right` is by place, from the second on."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in study.experiments:
        for kind, points in one.kinds.items():
            for p in points:
                pairs = [*(p.interval or ("", "")), *(p.ahead or ("", ""))]
                writer.writerow([one.id, kind, p.targets, p.tokens_per_call, *pairs, " ".join(map(str, p.right))])
    return out.getvalue()
