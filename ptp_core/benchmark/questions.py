"""What a benchmark asks: question files, any JSONL with prompts, or prompts typed in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..json_text import parse_json
from ..text_files import decoded, whole_characters

_LARGEST = 1 << 20  # bytes of a question


@dataclass(frozen=True)
class Question:
    question_id: str
    category: str
    prompt: str


def load_questions(path: str | os.PathLike[str], limit: int | None = None) -> list[Question]:
    """Questions of a JSONL file: rows with `turns` (the first is asked) or `prompt`; ValueError for others.

    With a limit, rows are taken evenly over the file, so that every kind of question is asked.
    """
    content = decoded(Path(path).read_bytes(), str(path), ", so it holds no questions")
    lines = content.split("\n")  # other line ends are text in JSON
    found = [_question(path, i, line) for i, line in enumerate(lines) if line.strip()]
    return checked(_evenly(found, limit), str(path))


def typed_questions(prompts: Sequence[str], category: str = "own") -> list[Question]:
    """Questions from prompts as typed; ValueError where there is none with text in it."""
    whole = map(whole_characters, prompts)
    found = [Question(f"{category}-{i + 1}", category, p) for i, p in enumerate(whole) if p.strip()]
    return checked(found, "The list of prompts")


def checked(questions: list[Question], source: str) -> list[Question]:
    """The questions themselves; ValueError if there is none or two have one name."""
    if not questions:
        raise ValueError(f"{source} holds no question.")
    names = [q.question_id for q in questions]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{source} has two questions with the id {twice!r}, so their results could not be told apart.")
    return questions


def _question(path: str | os.PathLike[str], i: int, line: str) -> Question:
    row = parse_json(line, "question", _LARGEST, f"Row {i + 1} of {path}")
    turns = row.get("turns") if isinstance(row, dict) else None
    prompt = turns[0] if isinstance(turns, list) and turns else row.get("prompt") if isinstance(row, dict) else None
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError(f"Row {i + 1} of {path} has neither turns nor a prompt.")
    return Question(_given(row, "question_id", str(i)), _given(row, "category", "all"), prompt)


def _given(row: dict[str, Any], name: str, default: str) -> str:
    """A field as text; null and an empty text count as absent."""
    return default if row.get(name) in (None, "") else str(row[name])


def _evenly(questions: list[Question], limit: int | None) -> list[Question]:
    if limit is None or limit >= len(questions):
        return questions
    if limit < 1:
        raise ValueError(f"The limit must be 1 question or more, got {limit}.")
    return [questions[round(i * (len(questions) - 1) / max(limit - 1, 1))] for i in range(limit)]
