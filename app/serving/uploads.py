"""Files that a visitor brings: how large each kind may be, and its JSON."""

from __future__ import annotations

from typing import Any

from ptp_core.json_text import parse_json
from ptp_core.trace import MAX_FILE_BYTES

LARGEST = {"trace": MAX_FILE_BYTES, "benchmark result": 24 << 20}  # bytes, by the kind of file


def read_json(text: str, what: str) -> Any:
    """The JSON of an uploaded file of this kind; ValueError with a sentence if it is too large or damaged."""
    return parse_json(text, what, LARGEST[what])
