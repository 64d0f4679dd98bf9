"""Where to ask next, and how much doubt is left."""

from __future__ import annotations

from ptp_core.maps.scan import Scan, middles


def test_scan_finds_every_change_and_says_how_well():
    edges = (0.21, 0.5001, 0.93)

    def answer(u):
        return sum(u >= edge for edge in edges)

    scan = Scan(middles(8))
    while scan.wanted:
        scan.learn([answer(u) for u in scan.wanted], 1 / 256)
    found, doubt = scan.stretches()
    assert [value for *_, value in found] == [0, 1, 2, 3]
    for (_, right, _), edge in zip(found, edges, strict=False):
        assert abs(right - edge) <= 1 / 512
    assert doubt <= 3 / 256
    left, right, error = scan.around(0.6)
    assert abs(left - 0.5001) <= error <= 1 / 512
    assert abs(right - 0.93) <= error
