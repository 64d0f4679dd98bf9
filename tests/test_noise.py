import math

import numpy as np
import pytest

from ptp_core import NoiseTape


def test_same_values_in_any_order_of_access():
    forward, backward = NoiseTape(7), NoiseTape(7)
    assert [backward[i] for i in reversed(range(600))][::-1] == [forward[i] for i in range(600)]


def test_known_values_so_that_a_seed_means_the_same_for_ever():
    assert NoiseTape(7).values(0, 3) == KNOWN


KNOWN = [0.8720734119415283, 0.2953653335571289, 0.4200976490974426]


def test_values_are_float32_in_the_unit_interval_and_look_uniform():
    values = np.array(NoiseTape(3).values(0, 20_000))
    assert ((values >= 0) & (values < 1)).all()
    assert (values.astype(np.float32) == values).all()
    # Kolmogorov-Smirnov, seeded; 1.95 / sqrt(n) is passed by a uniform sample with probability 0.999
    gap = np.abs(np.sort(values) - np.arange(1, len(values) + 1) / len(values)).max()
    assert gap < 1.95 / math.sqrt(len(values))
    assert np.abs(np.sort(values**1.05) - np.arange(1, len(values) + 1) / len(values)).max() > 1.95 / math.sqrt(20_000)


def test_different_seeds_differ():
    assert NoiseTape(1).values(0, 8) != NoiseTape(2).values(0, 8)


def test_edit_changes_one_position_and_not_the_original():
    tape = NoiseTape(5)
    edited = tape.with_value(3, 0.25)
    assert edited[3] == 0.25
    assert edited.values(0, 3) == tape.values(0, 3)
    assert edited.values(4, 9) == tape.values(4, 9)
    assert tape.edits == {}


def test_given_values_come_first_then_the_seed():
    tape = NoiseTape.from_values([0.5, 0.125], seed=9)
    assert tape.values(0, 2) == [0.5, 0.125]
    assert tape[2] == NoiseTape(9)[2]


def test_json_round_trip():
    tape = NoiseTape(11).with_value(2, 0.1).with_value(40, 0.9)
    assert NoiseTape.from_json(tape.to_json()) == tape
    assert NoiseTape.from_json(tape.to_json()).values(0, 50) == tape.values(0, 50)


@pytest.mark.parametrize("u", [-0.1, 1.0, float("nan"), float("inf")])
def test_a_value_outside_the_interval_is_refused(u):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        NoiseTape(0).with_value(0, u)


def test_rounding_to_float32_never_reaches_one():
    assert NoiseTape(0).with_value(0, 0.9999999999)[0] < 1


@pytest.mark.parametrize("seed", [-1, 1.5, "seven", 2**63])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        NoiseTape(seed)
