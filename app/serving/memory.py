"""Memory that was freed goes back to the system. By itself the C library keeps it for what may come."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], Any] | None:
    """glibc's malloc_trim; None where another library is in its place."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # TypeError: Windows has no such handle
        return None


def give_back() -> None:
    """Gives freed memory back, in a few milliseconds; does nothing where the C library has no way to."""
    trim = _trim()
    if trim is not None:
        trim(0)
