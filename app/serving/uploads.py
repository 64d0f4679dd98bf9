"""Files that a visitor brings: from their text to JSON, or to a sentence that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

from ptp_core.json_text import parse_json
from ptp_core.trace import MAX_FILE_BYTES

LARGEST = {"trace": MAX_FILE_BYTES, "benchmark result": 24 << 20}  # bytes, by the kind of file


def read_json(text: str, what: str) -> Any:
    """The JSON of an uploaded file of this kind.

    Halves of characters become U+FFFD, also those that are written as escapes. ValueError with a sentence if the file
    is too large, damaged or nested too deeply.
    """
    data = parse_json(whole_characters(text), what, LARGEST[what])
    if "\\ud" in text.lower():
        data = json.loads(whole_characters(json.dumps(data, ensure_ascii=False)))
    return data


def whole_characters(text: str) -> str:
    """The text with halves of characters (lone surrogates, which no encoding can send) replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
