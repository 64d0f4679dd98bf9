"""The shapes of calls: few, so that a row meets the same kernels in every call, and graphs can be kept."""

from __future__ import annotations

from dataclasses import dataclass

ROWS = (16, 32, 64, 128)  # rows of tokens in a call; as many of slots beside them
READ_ROWS = 64  # rows of a call that reads a piece of the prompt
_FEWEST_COLUMNS = 256
_COLUMN_STEP = 64


@dataclass(frozen=True)
class CallShape:
    """rows of tokens, rows of slots (0 or as many), columns of keys and values."""

    tokens: int
    slots: int
    columns: int

    @property
    def rows(self) -> int:
        return self.tokens + self.slots


def rows_for(count: int) -> int:
    """The narrowest bucket of rows that holds so many; ValueError where none does."""
    for rows in ROWS:
        if count <= rows:
            return rows
    raise ValueError(f"A call of the engine has {ROWS[-1]} rows of tokens at most, {count} are wanted.")


def reserve(tokens: int, slots: int) -> int:
    """Columns behind the text that a call may write to: its own rows, or those of a call that reads."""
    return max(tokens + slots, READ_ROWS)


def columns_for(length: int, longest: int, reserved: int) -> int:
    """Columns for a text of `length` tokens, and the reserve behind it: a power of two times the fewest.

    Where the context ends earlier, at `longest` tokens, there are no more columns than that takes.
    """
    columns = _FEWEST_COLUMNS
    while columns < length + reserved:
        columns *= 2
    whole = -(-(longest + reserved) // _COLUMN_STEP) * _COLUMN_STEP
    return min(columns, whole)
