"""Intervals by resampling, with known answers."""

import pytest
from support.results import row

from ptp_core.benchmark.summary import bootstrap_speedup
from ptp_core.statistics import bootstrap_ratio


def test_bootstrap_with_known_answers():
    steady = [row(str(i), "pqd", 10, 0.5) for i in range(20)], [row(str(i), "ar", 10, 1.0) for i in range(20)]
    assert bootstrap_speedup(*steady) == [2.0, 2.0]
    mixed = [row(str(i), "pqd", 10, 0.5 if i % 2 else 2.0) for i in range(20)], steady[1]
    low, high = bootstrap_speedup(*mixed)
    assert low < 0.8 < high  # 20 s of ar over 25 s: the middle of the interval
    assert high - low > 0.2  # negative control: questions that differ give a wide interval
    assert bootstrap_speedup(mixed[0][:1], mixed[1]) is None
    assert bootstrap_ratio([(4, 2)] * 5) == [2.0, 2.0]
    assert bootstrap_ratio([(1, 1)]) is None


def test_the_bootstrap_interval_has_the_known_width():
    """The mean of 400 values of which half are 0 and half 1 has a standard error of 0.025."""
    low, high = bootstrap_ratio([(i % 2, 1) for i in range(400)])
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)
