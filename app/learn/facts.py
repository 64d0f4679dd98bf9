"""The numbers in the Learn page's words, by name. The words say {name} where a number stands.

Each comes from a recording in assets/learn or from a shipped result in assets/benchmarks. So no sentence can quote a
number that is no longer there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ptp_core.methods import AHEAD_METHOD, BLIND_METHOD, PAPER_METHOD
from ptp_core.packed_files import find_packed, open_packed

from .recordings import recorded

RESULTS_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "benchmarks"
DEFAULT, RESULT, RESULT_BY_PICK, SWEEPS = "default", "default-budget-32", "default-budget-32-pick", "default-sweeps"
RESULT_OF_THE_SMALL = "ptp-small-budget-32"
_REST = b'"questions":'


def head(name: str) -> dict[str, Any]:
    """A shipped result without its questions and rows, which come last and are nearly all of it."""
    text = b""
    with open_packed(find_packed(RESULTS_FOLDER, f"{name}.json")) as file:
        while _REST not in text and (part := file.read(1 << 16)):
            text += part
    found: dict[str, Any] = json.loads(text.partition(_REST)[0].rstrip().rstrip(b",") + b"}")
    return found


def facts() -> dict[str, str]:
    """Every number that the chapters quote, as it is written there."""
    return {**_recorded(), **_drafts(), **_speed()}


def _recorded() -> dict[str, str]:
    strip, squares, dice, call = (recorded(name) for name in ("strip", "squares", "dice", PAPER_METHOD))
    total = sum(share for _, share in strip["words"])
    odds = [f"“{word.strip()}” {_percent(share / total)}" for word, share in strip["words"][:2]]
    first, second = [share for _, share in squares["first"]], squares["second"]
    columns = range(len(squares["words"]))
    mix = [sum(p * row[b] for p, row in zip(first, second, strict=True)) for b in columns]
    impossible = [sum(p for p, row in zip(first, second, strict=True) if not row[b]) for b in columns]
    stubborn = min(columns, key=impossible.__getitem__)
    last = {variant: steps[-1]["invalid"] for variant, steps in squares["runs"].items()}
    faces, depth = len(dice["nodes"][0]) - 1, _depth(dice["nodes"])
    return {
        "odds": ", ".join(odds),
        "throws": f"{faces**depth:,}",
        "apart": _percent(sum(p * q for p, q in zip(mix, impossible, strict=True))),
        "stubborn": _percent(impossible[stubborn]),
        "stubborn_word": squares["words"][stubborn],
        "nearest": _percent(squares["nearest_invalid"]),
        "untold": _percent(last["independent"], 1),
        "told_most": _percent(max(share for variant, share in last.items() if variant != "independent"), 1),
        "slots": str(call["budget"]),
    }


def _depth(nodes: list[list[int]]) -> int:
    """How many dice a tree of texts has: the levels down to a node without children."""
    depth, node = 1, 0
    while nodes[node][0] >= 0:
        depth, node = depth + 1, nodes[node][0]
    return depth


def _drafts() -> dict[str, str]:
    found, by_pick = head(RESULT), head(RESULT_BY_PICK)
    told, blind = found["methods"][PAPER_METHOD], found["methods"][BLIND_METHOD]
    small = head(RESULT_OF_THE_SMALL)["methods"]
    return {
        "small_told": f"{small[PAPER_METHOD]['tokens_per_call']:.2f}",
        "small_blind": f"{small[BLIND_METHOD]['tokens_per_call']:.2f}",
        "questions": str(told["num_questions"]),
        "temperature": f"{found['config']['temperature']:g}",
        "measured": found["environment"]["date"],
        "told": f"{told['tokens_per_call']:.2f}",
        "blind": f"{blind['tokens_per_call']:.2f}",
        "rolled": f"{by_pick['methods'][BLIND_METHOD]['tokens_per_call']:.2f}",
    }


def _speed() -> dict[str, str]:
    methods = head(DEFAULT)["methods"]
    return {
        "ahead_speed": f"{methods[AHEAD_METHOD]['speedup_vs_ar']:.2f}",
        "with_copies": f"{methods[AHEAD_METHOD + '_lookup']['speedup_vs_ar']:.2f}",
    }


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
