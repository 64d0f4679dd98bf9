"""Text that a visitor brings."""

from __future__ import annotations


def whole_characters(text: str) -> str:
    """The text with halves of characters (lone surrogates, which no encoding can send) replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
