"""Text and JSON that others wrote: with a byte order mark, in another encoding, with halves of characters."""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path
from typing import Any

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """The text of a UTF-8 file, without a byte order mark. ValueError with a sentence for anything else.

    what names the file in the sentence: "ptp_config.json".
    """
    return decoded(Path(path).read_bytes(), what)


def decoded(content: bytes, what: str) -> str:
    """As read_text, of a file's content."""
    if content.startswith(_UTF16):
        raise ValueError(f"{what} is written in UTF-16; save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{what} is not text in UTF-8.") from None


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """The JSON of a UTF-8 file. ValueError with a sentence for anything else."""
    return parsed(read_text(path, what), what)


def parsed(text: str, what: str) -> Any:
    """The JSON of a text, halves of characters replaced. ValueError with a sentence for anything else."""
    try:
        data = json.loads(whole_characters(text))
        if "\\ud" in text.lower():  # also those that are written as escapes
            data = json.loads(whole_characters(json.dumps(data, ensure_ascii=False)))
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not whole JSON (it breaks at character {error.pos}).") from None
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply.") from None
    except ValueError:  # a number of thousands of digits
        raise ValueError(f"{what} holds a number that is too long.") from None
    return data


def whole_characters(text: str) -> str:
    """The text with halves of characters (lone surrogates, which no encoding can send) replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
