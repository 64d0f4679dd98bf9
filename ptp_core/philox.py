"""Philox 4x32-10, the counter-based generator behind the clocks of the Gumbel coupling.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. One 128-bit counter and
one 64-bit key give four 32-bit words, on every device and in any order. The arithmetic is NumPy's on uint64, or
torch's on int64: there products wrap around to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

NUM_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF


def round_keys(key: tuple[int, int]) -> list[tuple[int, int]]:
    """The two words that each round adds, from the key's two."""
    return [((key[0] + i * _WEYL[0]) & _LOW, (key[1] + i * _WEYL[1]) & _LOW) for i in range(NUM_ROUNDS)]


def philox_4x32(counter: Any, key: tuple[int, int]) -> Any:
    """Four words below 2**32 for each counter, whose four parts are NumPy arrays that broadcast."""
    return rounds(counter, [(np.uint64(a), np.uint64(b)) for a, b in round_keys(key)])


def rounds(counter: Any, keys: Any, number: Callable[[int], Any] = np.uint64) -> Any:
    """The same from the rounds' keys: ten pairs. number makes a constant of a whole number; `int` for tensors."""
    a, b, c, d = counter
    low, half = number(_LOW), number(32)
    for i in range(NUM_ROUNDS):
        left, right = a * number(_MULTIPLIERS[0]), c * number(_MULTIPLIERS[1])
        a, b, c, d = (
            ((right >> half) & low) ^ b ^ keys[i][0], right & low, ((left >> half) & low) ^ d ^ keys[i][1], left & low,
        )  # fmt: skip
    return a, b, c, d
