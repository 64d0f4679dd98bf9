"""Text that others wrote: with a byte order mark, in another encoding, with halves of characters."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, without a byte order mark. ValueError with a sentence for anything else."""
    return decoded(Path(path).read_bytes(), Path(path).name)


def decoded(content: bytes, called: str, consequence: str = "") -> str:
    """The text of a file's content in UTF-8, without a byte order mark.

    ValueError with a sentence for anything else. called: what the sentence calls the file. consequence: how it ends,
    where the content is no text.
    """
    if content.startswith(_UTF16):
        raise ValueError(f"{called} is written in UTF-16; save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{called} is not text{consequence or ' in UTF-8'}.") from None


def whole_characters(text: str) -> str:
    """The text with halves of characters (lone surrogates, which no encoding can send) replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
