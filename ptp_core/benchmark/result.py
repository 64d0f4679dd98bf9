"""A benchmark's result: one JSON object that holds every row, so that pictures need no model.

Rows are the evidence; `methods`, `points` and `analysis` are computed from them and can be again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..decoding.costs import CostCurve, DraftCosts
from ..decoding.drafters.lookup import LOOKUP_DRAFTS
from ..json_text import parse_json
from ..methods import AHEAD, BASELINE, LOOKUP, TABLE
from ..packed_files import packed, read_packed
from ..refusals import quoted
from .acceptance import analyse, drafting_methods
from .bounds import Drafter
from .comparison import compare
from .config import BenchConfig, config_from_dict
from .questions import Question
from .row_checks import check_rows
from .rows import TOKEN_CLASSES, Row, baseline_point
from .rows_file import row_from_dict
from .summary import summarise, summarise_points

KIND, SCHEMA_VERSION = "ptp-lab-benchmark", 2
MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class BenchResult:
    """complete is False where the run was stopped; profile may be empty (see profiling.py)."""

    environment: dict[str, Any]
    config: BenchConfig
    questions: list[Question]
    rows: list[Row]
    complete: bool = True
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def methods(self) -> dict[str, Any]:
        """figures.summarise of the rows outside any sweep."""
        return summarise([r for r in self.rows if not r.point])

    @property
    def points(self) -> dict[str, Any]:
        """figures.summarise_points of a sweep's rows; {} without one."""
        return summarise_points(self.rows) if self.config.sweep else {}

    @property
    def curve(self) -> CostCurve | None:
        """Milliseconds of a call against its positions, measured in this run."""
        found = self.environment.get("cost_curve")
        return CostCurve(tuple(found["positions"]), tuple(found["milliseconds"])) if found else None

    def adapter_of(self, method: str) -> dict[str, Any]:
        """What the environment says about the adapter that drafted for this method; {} without one."""
        own = None if TABLE[method].sees_u else self.environment.get("independent_adapter")
        return own or self.environment.get("adapter") or {}

    def select(self, method: str, point: str = "", category: str | None = None) -> list[Row]:
        """The rows of one method at one point of a sweep, of one category or of all."""
        chosen = [r for r in self.rows if r.method == method and r.point == point]
        return [r for r in chosen if category is None or r.category == category]

    def analysis(self, category: str | None = None) -> dict[str, Any]:
        """acceptance.analyse for every method that drafted, outside any sweep."""
        ar = self.select(BASELINE, "", category)
        found = {}
        for method in drafting_methods([r for r in self.rows if not r.point]):
            rows = self.select(method, "", category)
            found[method] = analyse(rows, ar, self.drafter(method), self.curve)
        return found

    def comparison(self, category: str | None = None, point: str = "") -> dict[str, Any]:
        """comparison.compare over the rows at a point, and those of a sweep of the draft rule."""
        base = baseline_point(point)
        shown = [r for r in self.rows if r.point in (base, point) or (not base and r.point.startswith("draft_rule="))]
        shown = [r for r in shown if category is None or r.category == category]
        return compare([r for r in shown if r.method != BASELINE], [r for r in shown if r.method == BASELINE])

    def drafter(self, method: str) -> Drafter:
        """How the method drafts, with its adapter's figures."""
        kind = TABLE[method].drafts
        if kind == LOOKUP:
            return Drafter(kind, 0, (), self.config.num_speculative_tokens or LOOKUP_DRAFTS)
        facts, longest = self.adapter_of(method), self.config.num_speculative_tokens
        if kind == AHEAD:
            need = TABLE[method].needs
            facts, costs = facts[need], DraftCosts(**self.environment[f"{need}_costs"])
            return Drafter(kind, 0, tuple(facts["draft_run"]), facts["window"] if longest is None else longest, costs)
        longest = max(int(facts["window"]) - int(facts["num_settled"]), 1) if longest is None else longest
        run = facts.get(_run_name(self.config)) or facts["draft_run"]  # older results have one run for all
        return Drafter(kind, int(facts["num_settled"]), tuple(run), longest)

    def to_dict(self) -> dict[str, Any]:
        config = asdict(self.config)
        return {
            "kind": KIND,
            "schema_version": SCHEMA_VERSION,
            "complete": self.complete,
            "environment": self.environment,
            "config": config,
            "token_classes": TOKEN_CLASSES,
            "methods": self.methods,
            "points": self.points,
            "analysis": self.analysis(),
            "profile": self.profile,
            "questions": [asdict(q) for q in self.questions],
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes the result, a question and a row per line, in one step; compressed if the name ends in .gz or .xz."""
        data = self.to_dict()
        lists = {name: data.pop(name) for name in ("questions", "rows")}
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)[:-2]
        for name, items in lists.items():
            lines = ",\n".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in items)
            text += f',\n "{name}": [\n{lines}\n ]'
        out = Path(path)
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(out.name + ".part")
        content = (text + "\n}\n").encode()
        part.write_bytes(packed(content, out.suffix))
        part.replace(out)

    @classmethod
    def from_dict(cls, data: Any) -> BenchResult:
        """The inverse of to_dict; ValueError with a sentence on anything that is not a whole result."""
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise ValueError("This is not a benchmark result of PTP Lab.")
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"This result has schema version {quoted(data.get('schema_version'))}; this lab reads {SCHEMA_VERSION}."
            )
        try:
            asked = data["questions"]
            questions = [Question(str(q["question_id"]), str(q["category"]), str(q["prompt"])) for q in asked]
            result = cls(
                dict(data["environment"]), config_from_dict(data["config"]), questions,
                [row_from_dict(row) for row in data["rows"]], bool(data["complete"]), dict(data.get("profile") or {}),
            )  # fmt: skip
            assert result.curve is None or len(result.curve.positions) > 1
            for method in {row.method for row in result.rows if TABLE[row.method].drafts == AHEAD}:
                result.drafter(method)  # its figures are there
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"This benchmark result is incomplete: {error}.") from None
        check_rows(result.rows, questions)
        return result

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> BenchResult:
        """Reads a result from a file; ValueError with a sentence on anything that is not a whole one."""
        content = read_packed(path, MAX_FILE_BYTES + 1)
        return cls.from_dict(parse_json(content, "benchmark result", MAX_FILE_BYTES))


def _run_name(config: BenchConfig) -> str:
    """The name of the figures that hold for drafts of this kind in environment.adapter_facts."""
    by = "_raced" if config.coupling == "gumbel" else "_picked" * (config.draft_rule == "pick")
    return "draft_run" + by + "_unchained" * (not config.chained)
