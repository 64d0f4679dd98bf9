"""The generator against published vectors."""

import numpy as np

from ptp_core.philox import philox_4x32


def word(value):
    return np.asarray(value, np.uint64)


def test_known_answers():
    """Random123's kat_vectors for philox4x32 with ten rounds."""
    ones = 0xFFFFFFFF
    cases = [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones, ones), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]
    for counter, key, expected in cases:
        assert tuple(int(w) for w in philox_4x32(tuple(word(c) for c in counter), key)) == expected


def test_counters_are_independent_of_their_company():
    rows = np.arange(7, dtype=np.uint64)
    together = philox_4x32((rows[:, None], rows, word(0), word(0)), (5, 6))
    alone = philox_4x32((word(3), word(4), word(0), word(0)), (5, 6))
    assert [int(w[3, 4]) for w in together] == [int(w) for w in alone]
