"""Text pieces of tokens, one by one, that join to exactly the decoded text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"


class PieceStream:
    """Turns tokens into pieces of text as they come.

    A token that ends inside a character has the piece "": the character belongs to the token that
    completes it. Only a window of recent tokens is decoded, so a long text costs no more per token.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._anchor = 0  # decoding starts here, so that spacing rules see some context
        self._done = 0  # tokens whose text is out

    def push(self, token: int, last: bool = False) -> str:
        """The piece of the next token; last=True gives out an unfinished character as it decodes."""
        self._tokens.append(token)
        before = self._decode(self._tokens[self._anchor : self._done])
        after = self._decode(self._tokens[self._anchor :])
        if after.endswith(_BROKEN) and not last:
            return ""
        self._anchor, self._done = self._done, len(self._tokens)
        return after[len(before) :]
