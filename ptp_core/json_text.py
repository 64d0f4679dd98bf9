"""JSON that comes from outside: what is wrong with it is said in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .text_files import decoded, whole_characters

_LARGEST = 1 << 20  # bytes of a configuration


def too_large(what: str, most: int) -> str:
    """The end of a sentence about a file that is too large."""
    return f"is larger than {most >> 20} MB, too large for a {what}."


def parse_json(content: str | bytes, what: str, most: int, called: str = "This file") -> Any:
    """The value of a file's content. what names the kind of file in sentences: "trace"; most: its bytes.

    A byte order mark is passed over. Halves of characters become U+FFFD, also those that are written as escapes.
    ValueError with a sentence if the content is too large, not text, not whole JSON, or nested too deeply.
    """
    if len(content) > most:
        raise ValueError(f"{called} {too_large(what, most)}")
    text = decoded(content, called, f", so it is no {what}") if isinstance(content, bytes) else content
    text = whole_characters(text.removeprefix("\ufeff"))
    try:
        data = json.loads(text)
        if "\\ud" in text.lower():
            data = json.loads(whole_characters(json.dumps(data, ensure_ascii=False)))
    except json.JSONDecodeError as error:
        raise ValueError(f"{called} is not whole JSON (it breaks at character {error.pos}).") from None
    except RecursionError:
        raise ValueError(f"{called} is nested too deeply to be a {what}.") from None
    except ValueError:  # Python reads no number of thousands of digits
        raise ValueError(f"{called} holds a number that is too long, so it is no {what}.") from None
    return data


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """The value of a small file, a configuration say; ValueError as parse_json."""
    with Path(path).open("rb") as file:
        return parse_json(file.read(_LARGEST + 1), what, _LARGEST, Path(path).name)
