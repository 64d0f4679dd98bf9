"""What the Learn page's figures show, by name: recordings, the shipped race, figures of the shipped results, glossary.

Nothing here needs a model. Recordings lie in assets/learn; app/learn/record.py makes them. The rest is read from the
race and the benchmark results that come with the lab, so that it follows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

from app.race.races import LANES, PARALLEL, recorded_race
from ptp_core.methods import BASELINE, BLIND_METHOD, PAPER_METHOD
from ptp_core.packed_files import find_packed, plain_name, read_packed

from .facts import DEFAULT, RESULT, RESULTS_FOLDER, SWEEPS, facts, head
from .recordings import NAMES, recorded

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
RACE = "code"
SERIES = {PAPER_METHOD: "told the dice", BLIND_METHOD: "not told"}
RULES = {  # how a draft that is not told the dice made its word
    "argmax": "says its likeliest word",
    "pick": "rolls for its word, which makes it look weaker than it is",
}
_ENTRY = re.compile(r"^- \*\*(?P<name>[^*]+)\*\*(?: \(also: (?P<also>[^:]+)\))?: (?P<text>.+)$")


def glossary() -> list[dict[str, Any]]:
    """The entries of docs/glossary.md: name, other forms, what it means."""
    entries = []
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        if not line.startswith("- "):
            continue
        found = _ENTRY.match(line)
        if found is None:
            raise ValueError(f"docs/glossary.md: this line is no entry: {line!r}")
        also = [form.strip() for form in (found["also"] or "").split(",") if form.strip()]
        entries.append({"name": found["name"], "also": also, "text": found["text"]})
    return entries


def race() -> dict[str, Any]:
    """The shipped race of a code answer: the pieces of text that each call of each lane brought."""
    found = recorded_race(RACE)
    lanes = {lane: [[e.text for e in step.emitted] for step in found.steps(lane)] for lane in LANES}
    return {"prompt": found.lanes[PARALLEL].prompt, **lanes}


def results() -> dict[str, Any]:
    """Acceptance by entropy and by margin, told the dice and not, over the shipped questions; words in context."""
    found = head(RESULT)
    environment, analysis = found["environment"], found["analysis"]
    series = [
        {
            "method": method,
            "label": label,
            "tokens_per_call": found["methods"][method]["tokens_per_call"],
            "entropy": _bins(analysis[method]["by_entropy"]),
            "margin": _bins(analysis[method]["by_margin"]),
        }
        for method, label in SERIES.items()
    ]
    count, temperature = found["methods"][BASELINE]["num_questions"], found["config"]["temperature"]
    calls = " and ".join(f"{s['tokens_per_call']:.2f} {s['label']}" for s in series)
    over = (
        f"{environment['model']}, {count} questions, temperature {temperature}, measured {environment['date']}. "
        f"Tokens per call: {calls}. The draft that is not told {RULES[found['config'].get('draft_rule', 'pick')]}."
    )
    return {"series": series, "over": over, "contexts": recorded("contexts")["examples"]}


def costs() -> dict[str, Any]:
    """Measured cost curves by device, and what the paper's slots bring at each budget of slots per call."""
    sweeps = _shipped(SWEEPS)
    curves: dict[str, tuple[int, Any]] = {}
    names = sorted(plain_name(path).removesuffix(".json") for path in RESULTS_FOLDER.glob("*.json*"))
    for name in sorted(names, key=lambda name: name != DEFAULT):
        environment = head(name)["environment"]
        if environment.get("cost_curve"):
            curves.setdefault(environment["device"], (environment["threads"], environment["cost_curve"]))
    budgets = []
    for point in sweeps["config"]["sweep"]:
        if point["field"] != "draft_budget":
            continue
        place = (PAPER_METHOD, f"draft_budget={point['value']}")
        rows = [r for r in sweeps["rows"] if (r["method"], r["point"]) == place]
        calls = [call for row in rows for call in row["calls"][1:]]  # the first one reads the prompt
        tokens = sum(call["emitted"] for call in calls)
        budgets.append(
            {
                "budget": point["value"],
                "tokens_per_call": tokens / len(calls),
                "positions": fmean(call["positions"] for call in calls),
            }
        )
    found = [{"device": device, "threads": threads, "curve": curve} for device, (threads, curve) in curves.items()]
    return {"curves": found, "budgets": budgets}


def _shipped(name: str) -> dict[str, Any]:
    """A shipped result's file as it is: its analysis need not be computed again."""
    found: dict[str, Any] = json.loads(read_packed(find_packed(RESULTS_FOLDER, f"{name}.json")))
    return found


def _bins(shares: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: share[key] for key in ("label", "right", "count", "share")} for share in shares]


SOURCES: dict[str, Callable[[], Any]] = {
    "glossary": glossary,
    "facts": facts,
    "race": race,
    "results": results,
    "costs": costs,
    **{name: partial(recorded, name) for name in NAMES if name != "contexts"},
}


@lru_cache(maxsize=len(SOURCES))
def learn_data(name: str) -> str:
    """What a figure asks for, as JSON; KeyError if there is nothing of that name."""
    return json.dumps(SOURCES[name](), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
