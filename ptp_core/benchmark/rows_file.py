"""Rows on disk while a benchmark runs: what a stopped run goes on from."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..methods import METHODS, TABLE
from .rows import Row

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class MixedSettings(ValueError):
    """The rows so far were made with other settings."""


class RowsFile:
    """A JSONL file: its settings in the first line, then a row per line, each written as it comes.

    A last line that a kill cut short is dropped. Rows of other settings are never mixed with new ones:
    MixedSettings says what differs.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.rows: list[Row] = []
        lines = _whole_lines(path) if path.exists() else []
        settings = json.loads(json.dumps(settings))
        if lines:
            self.rows = _read(path, lines, settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        head = json.dumps({"settings": settings})
        part = path.with_name(path.name + ".part")
        part.write_text("".join(line + "\n" for line in [head, *lines[1:]]), encoding="utf-8")
        part.replace(path)

    def append(self, row: Row) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row.to_dict(), ensure_ascii=False) + "\n")
        self.rows.append(row)


def kept_threads(path: Path | None) -> int | None:
    """The number of threads of the run whose rows lie there; None where there is none."""
    lines = _whole_lines(path) if path and path.exists() else []
    try:
        found = json.loads(lines[0])["settings"]["threads"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return found if type(found) is int and found > 0 else None


def row_from_dict(data: Any) -> Row:
    """The inverse of Row.to_dict; ValueError with a sentence on anything else. Rows without a draft rule are older
    than argmax: their u-blind drafts were picked."""
    from pydantic import ValidationError

    try:
        row = _schema().validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"A row is damaged at {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    older = row.method in METHODS and "draft_rule" in TABLE[row.method].options and not row.draft_rule
    return replace(row, draft_rule="pick") if older else row


@cache
def _schema() -> TypeAdapter[Row]:
    """What the types allow. Only reading rows needs pydantic; writing them does not."""
    from pydantic import TypeAdapter

    return TypeAdapter(Row)


def _whole_lines(path: Path) -> list[str]:
    """Lines that end in a newline and are JSON; all but the last must be."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")
    return [line for line in lines[:-1] if line.strip()]


def _read(path: Path, lines: list[str], settings: dict[str, Any]) -> list[Row]:
    try:
        head, *rest = [json.loads(line) for line in lines]
        theirs = head["settings"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} does not hold a benchmark's rows. Move it away, or name another result.") from None
    different = _differences(theirs, settings)
    if different:
        raise MixedSettings(
            f"{path} holds {len(rest)} rows of a run with other settings ({'; '.join(different)}). Results of two "
            "settings do not mix: go on with the old ones, name another result, or start anew with --fresh."
        )
    return [row_from_dict(row) for row in rest]


def _differences(theirs: dict[str, Any], ours: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs, in words, nested settings by their own names."""
    found = []
    for key in sorted({*theirs, *ours}):
        a, b = theirs.get(key), ours.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key} {_short(a)} instead of {_short(b)}")
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
