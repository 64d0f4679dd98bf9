"""What must hold on a full Space, and what came of it as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .rush import Came

MOST_MB = 8192.0
TOLD_SECONDS = 15.0  # until a visitor among many is told something
FREE_SECONDS = 10.0  # until a place that was left is free
SERVED_SECONDS = 60.0  # until a visitor beside a flood has the whole text
KEPT_MB = 512.0  # more than at the start when all are gone: another model, and the runs that the lab keeps


def broken(found: dict[str, Any]) -> list[str]:
    """The promises that do not hold, a sentence each. found: as __main__ gathers it; parts may be missing."""
    return [
        *(f"The phase {name} did not come to its end: {why}" for name, why in found.get("unfinished", {}).items()),
        *(says for came in found.get("rush", []) for says in _of_visitor(came)),
        *_of_memory(found.get("memory")),
        *(says for way in ("stop", "close") for says in _of_freeing(way, found.get(way))),
        *_of_flood(found.get("flood")),
    ]


def _of_visitor(came: dict[str, Any]) -> list[str]:
    who, says = f"Visitor {came['visitor']} ({came['page']})", []
    if came["wrong"]:
        says.append(f"{who} met an error: {came['wrong']}")
    if came["foreign"]:
        says.append(f"{who} saw what is another's: {', '.join(came['foreign'])}.")
    if not came["own"]:
        says.append(f"{who} did not see the own prompt, so nothing is known of others'.")
    if came["done"] is None:
        says.append(f"{who} got no text.")
    elif not came["same"]:
        says.append(f"{who} got another text than alone.")
    if came["page"] != "api":
        shown = [came[name] for name in ("text", "timed") if came[name] is not None]
        if min(shown, default=TOLD_SECONDS + 1) > TOLD_SECONDS:
            says.append(f"{who} had no text and no place with a time within {TOLD_SECONDS:.0f} s.")
    return says


def _of_memory(memory: dict[str, float] | None) -> list[str]:
    if memory is None:
        return []
    says = []
    if memory["peak"] > MOST_MB:
        says.append(f"The server held {memory['peak']:.0f} MB.")
    if memory["after"] - memory["before"] > KEPT_MB:
        says.append(f"The server kept {memory['after'] - memory['before']:.0f} MB when all had gone.")
    return says


def _of_freeing(way: str, found: dict[str, float | None] | None) -> list[str]:
    words = {"third_moved": "the next place", "fourth_moved": "the place behind it", "third_began": "the next run"}
    return [
        f"After {way}, {words[name]} took {'too long' if seconds is None else f'{seconds:.0f} s'}."
        for name, seconds in (found or {}).items()
        if seconds is None or seconds > FREE_SECONDS
    ]


def _of_flood(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    says = []
    if found["done"] is None or found["done"] > SERVED_SECONDS:
        says.append(f"A visitor beside a flood had no text within {SERVED_SECONDS:.0f} s.")
    if found["silent"]:
        says.append(f"{found['silent']} refusals of the flood had no sentence.")
    if not found["refused"].get("runs") or not found["refused"].get("race files"):
        says.append("The flood was not refused.")
    return says


# ---- the table ----------------------------------------------------------------------------------------------

_COLUMNS = ("visitor", "page", "model", "opened", "place", "timed", "told", "text", "done", "same", "foreign")


def table(found: dict[str, Any]) -> str:
    """What happened, in lines of one visitor each."""
    lines = ["  ".join(f"{name:>12}" for name in _COLUMNS)] if found.get("rush") else []
    lines += ["  ".join(f"{_cell(came[name]):>12}" for name in _COLUMNS) for came in found.get("rush", [])]
    lines += [f"{name}: {_line(found[name])}" for name in ("memory", "stop", "close", "flood") if name in found]
    return "\n".join(lines)


def _line(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_cell(value)}" for name, value in values.items())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def summary(rush: Sequence[Came]) -> dict[str, float | None]:
    """The slowest of each time of the rush, over visitors with pages."""
    pages = [came for came in rush if came.page != "api"]
    return {
        name: max((value for came in pages if (value := getattr(came, name)) is not None), default=None)
        for name in ("shown", "timed", "text", "done")
    }
