"""The recorded data of the Learn page on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "learn"
NAMES = ("dice", "strip", "pqd", "squares", "contexts")
MOST_BYTES = 300_000  # of one file


def recorded(name: str) -> Any:
    """A recording as plain data; KeyError if there is none of that name."""
    if name not in NAMES:
        raise KeyError(name)
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def keep(name: str, data: Any) -> int:
    """Writes a recording and returns its size in bytes; ValueError where it is larger than a page's file may be."""
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name} has {len(content):,} bytes; a page's file may have {MOST_BYTES:,}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_bytes(content)
    return len(content)
