"""Prompt lookup."""

from ptp_core.decoding.drafters.lookup import find_continuation


def test_prompt_lookup_finds_the_longest_and_latest_match():
    assert find_continuation([1, 2, 3, 9, 1, 2, 3], 2) == [9, 1]
    assert find_continuation([1, 2, 7, 5, 2, 8, 1, 2], 1) == [7]  # two tokens match before one does
    assert find_continuation([2, 7, 2, 8, 2], 1) == [8]  # the latest of equals
    assert find_continuation([1, 2, 3], 2) == []
    assert find_continuation([4, 4], 3) == [4]
    assert find_continuation([4, 4], 0) == []
