"""Prompt lookup: drafts that no model makes."""

from __future__ import annotations

from collections.abc import Sequence

LOOKUP_LONGEST, LOOKUP_SHORTEST = 3, 1  # n-gram sizes, tried in this order


def find_continuation(tokens: Sequence[int], count: int) -> list[int]:
    """Up to `count` tokens that followed the most recent earlier occurrence of the last n-gram, longest n first."""
    if count < 1:
        return []
    for size in range(LOOKUP_LONGEST, LOOKUP_SHORTEST - 1, -1):
        tail = list(tokens[-size:])
        for start in range(len(tokens) - size - 1, -1, -1):
            if list(tokens[start : start + size]) == tail:
                return list(tokens[start + size : start + size + count])
    return []
