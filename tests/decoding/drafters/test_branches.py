import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptp_core.decoding.drafters.branches import Allocations, allocate, branch_probabilities, calibrated, expected_gain

CONFIDENCES = st.lists(st.floats(0.01, 0.99), max_size=5)
RUNS = st.lists(st.floats(0.05, 0.95), min_size=1, max_size=5).map(
    lambda steps: list(itertools.accumulate(steps, lambda a, b: a * b))
)


def test_probabilities_by_hand():
    assert branch_probabilities([]) == [1]
    assert branch_probabilities([0.5, 0.8]) == pytest.approx([0.5, 0.1, 0.4])


@given(CONFIDENCES)
def test_probabilities_sum_to_one(confidences):
    assert sum(branch_probabilities(confidences)) == pytest.approx(1)


def test_gain_by_hand():
    run = [0.5, 0.25]
    assert expected_gain(run, 1, 4) == [0, 0, 0.5, 0.75, 0.75]  # the first slot is settled
    assert expected_gain(run, 0, 3) == [0, 0.5, 0.75, 0.75]


def test_allocation_by_hand():
    gain = expected_gain([0.5, 0.25, 0.125], 1, 4)
    assert allocate([1.0], gain, 3) == [3]
    assert allocate([1.0], gain, 1) == [0]  # one slot alone brings nothing
    assert allocate([0.5, 0.5], gain, 4) == [2, 2]
    assert allocate([0.9, 0.1], gain, 4) == [4, 0]
    assert allocate([0.9, 0.1], gain, 4, limits=[2, 4]) == [2, 2]
    assert allocate([0.9, 0.1], gain, 0) == [0, 0]


def best_by_brute_force(probabilities, gain, budget):
    lengths = itertools.product(range(len(gain)), repeat=len(probabilities))
    affordable = (b for b in lengths if sum(b) <= budget)
    return max(sum(p * gain[n] for p, n in zip(probabilities, b, strict=True)) for b in affordable)


@settings(max_examples=150, deadline=None)
@given(
    CONFIDENCES.filter(lambda c: len(c) < 4),
    RUNS.filter(lambda r: len(r) < 5),
    st.integers(0, 12),
    st.sampled_from([0, 1]),
)
def test_allocation_is_the_best_there_is(confidences, run, budget, num_settled):
    probabilities, gain = branch_probabilities(confidences), expected_gain(run, num_settled, len(run) + num_settled)
    lengths = allocate(probabilities, gain, budget)
    value = sum(p * gain[n] for p, n in zip(probabilities, lengths, strict=True))
    assert sum(lengths) <= budget
    assert value == pytest.approx(best_by_brute_force(probabilities, gain, budget))
    assert all(n == 0 or n > num_settled for n in lengths), "slots that bring nothing are not spent"


def test_one_table_serves_every_budget():
    probabilities, gain = [0.2, 0.5, 0.3], expected_gain([0.6, 0.3, 0.1], 1, 4)
    table = Allocations(probabilities, [gain] * 3, 12, [4] * 3)
    for budget in range(13):
        assert table.lengths(budget) == allocate(probabilities, gain, budget)
        spent = table.lengths(budget)
        assert table.best[budget] == pytest.approx(sum(p * gain[n] for p, n in zip(probabilities, spent, strict=True)))


def test_branches_may_differ_in_what_they_gain():
    poor, rich = [0, 0, 0.1, 0.15], [0, 0, 0.6, 0.9]
    assert Allocations([0.6, 0.4], [poor, rich], 3, [3, 3]).lengths(3) == [0, 3]
    assert Allocations([0.6, 0.4], [poor, rich], 6, [3, 3]).lengths(6) == [3, 3]


def test_calibration():
    assert calibrated(0.3, 0.0, None) == pytest.approx(0.3)
    assert calibrated(0.3, 0.1, (1, 0, 0)) == pytest.approx(0.3)
    assert calibrated(0.3, 0.2, (1, 0, 1)) > 0.3
    assert calibrated(0.3, 0.2, (0, 1, 0)) > calibrated(0.3, 0.1, (0, 1, 0))
    assert 0 < calibrated(0.0, 0.0, (50, 50, 0)) < calibrated(1.0, 1.0, (50, 50, 0)) < 1
