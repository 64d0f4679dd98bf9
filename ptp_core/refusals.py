"""What other libraries raise, as one sentence of the lab's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

REFUSALS = (ValueError, RuntimeError, OSError, ImportError, MemoryError)  # that end a run; others are faults of the lab
_LONGEST_VALUE = 60  # characters of a value that a sentence quotes
_LONGEST = 300  # characters of another library's text that a sentence quotes


def reason(error: BaseException) -> str:
    """The cause in one line: the first line of the error's text, with its type where that alone says too little."""
    text = sentence(error)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def sentence(error: BaseException) -> str:
    """What an error says, on one line: its first line that is not empty, with its type where that says too little."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    if not text or isinstance(error, (KeyError, IndexError, AttributeError, AssertionError)):
        text = f"{type(error).__name__}{': ' * bool(text)}{text}"
    return text


def quoted(value: object) -> str:
    """A value as a sentence quotes it: cut off where a file holds something long in its place."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


@contextmanager
def refusing(what: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turns what another library raises into ValueError("what: its cause"). kinds: of errors, by default all."""
    try:
        yield
    except Exception as error:
        if kinds and not isinstance(error, kinds):
            raise
        raise ValueError(f"{what}: {reason(error)}") from None
