"""Philox 4x32-10, the counter-based generator behind the clocks of the Gumbel coupling.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. One 128-bit counter and
one 64-bit key give four 32-bit words, on every device and in any order. The arithmetic is NumPy's, on uint64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox_4x32(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Four words below 2**32 for each counter; the four parts of the counter are arrays that broadcast."""
    a, b, c, d = counter
    for i in range(_ROUNDS):
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        keys = [np.uint64((key[j] + i * _WEYL[j]) & 0xFFFFFFFF) for j in range(2)]
        a, b, c, d = (right >> _HALF) ^ b ^ keys[0], right & _LOW, (left >> _HALF) ^ d ^ keys[1], left & _LOW
    return a, b, c, d
