"""Files that a visitor brings: from their text to JSON, or to a sentence that says what is wrong."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str, max_bytes: int, what: str) -> Any:
    """The JSON of an uploaded file. ValueError with a sentence if it is too large, damaged or nested too deeply.

    Halves of characters become U+FFFD, also those that are written as escapes. what names the file's kind: "trace".
    """
    if len(text) > max_bytes:
        raise ValueError(f"This file is larger than {max_bytes >> 20} MB, too large for a {what}.")
    try:
        data = json.loads(whole_characters(text))
        if "\\ud" in text.lower():
            data = json.loads(whole_characters(json.dumps(data, ensure_ascii=False)))
    except json.JSONDecodeError as error:
        raise ValueError(f"This file is not whole JSON (it breaks at character {error.pos}).") from None
    except RecursionError:
        raise ValueError(f"This file is nested too deeply to be a {what}.") from None
    return data


def whole_characters(text: str) -> str:
    """The text with halves of characters (lone surrogates, which no encoding can send) replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
