"""Made-up times: which of them make a speed-up."""

import pytest

from ptp_core.speedup import CHANGED, SHORT, STEADY, TOLERANCE, UNTIMED, Call, compare_lanes, is_steady, too_fast

PROMPT = 5.0  # seconds to read it


def lane(count, tokens, seconds, prompt=PROMPT):
    """A call that reads the prompt, then `count` calls."""
    return [Call(1, prompt), *[Call(tokens, seconds)] * count]


def test_the_prompt_is_left_out():
    found = compare_lanes(lane(32, 1, 0.04), lane(16, 2, 0.05))
    assert found.speedup == pytest.approx(1.6) and found.why == ""
    assert found.ms == pytest.approx((40, 25))
    assert (found.tokens, found.calls) == (33, (33, 17))
    slow_start = compare_lanes(lane(32, 1, 0.04, 99.0), lane(16, 2, 0.05))
    assert slow_start.speedup == found.speedup


def test_slower_is_told_as_it_is():
    assert compare_lanes(lane(32, 1, 0.04), lane(16, 2, 0.1)).speedup == pytest.approx(0.8)


def test_a_stopped_lane_is_compared_at_equal_tokens():
    found = compare_lanes(lane(63, 1, 0.04), lane(10, 3, 0.06))
    assert (found.tokens, found.calls) == (31, (31, 11))
    assert found.speedup == pytest.approx(2.0)
    uneven = compare_lanes(lane(25, 1, 0.04), lane(10, 3, 0.06))  # the plain lane ends within a parallel call
    assert (uneven.tokens, uneven.calls) == (25, (25, 9))


def test_more_than_the_tokens_per_call_is_the_machines_doing():
    assert compare_lanes(lane(32, 1, 0.04), lane(16, 2, 0.02)).speedup is None  # 4 times at 2 tokens per call
    assert compare_lanes(lane(32, 1, 0.04), lane(16, 2, 0.02)).why == CHANGED
    within = compare_lanes(lane(32, 1, 0.04), lane(16, 2, 0.04 / (TOLERANCE - 0.01)))
    assert within.speedup == pytest.approx(2 * (TOLERANCE - 0.01))
    assert too_fast(2.69, 1.0) and too_fast(1.73, 1.62) and not too_fast(1.62, 1.62)


def test_a_machine_that_changed_its_speed_on_the_way_gives_no_figure():
    half = [Call(1, 0.04)] * 16, [Call(1, 0.08)] * 16
    changed = compare_lanes([Call(1, PROMPT), *half[0], *half[1]], lane(16, 2, 0.1))
    assert (changed.speedup, changed.why) == (None, CHANGED)
    one_hiccup = compare_lanes([Call(1, PROMPT), Call(1, 0.1), *half[0][1:], *half[0]], lane(16, 2, 0.1))
    assert one_hiccup.speedup is not None
    assert is_steady([]) and is_steady([1.0, STEADY]) and not is_steady([1.0, STEADY + 0.01])


def test_few_tokens_give_no_figure():
    for short in (compare_lanes(lane(15, 1, 0.04), lane(15, 1, 0.05)), compare_lanes(lane(0, 1, 0.04), [])):
        assert (short.speedup, short.why) == (None, SHORT)
    assert compare_lanes([], []).ms is None
    untimed = compare_lanes(lane(32, 1, 0.0, 0.0), lane(16, 2, 0.0, 0.0))
    assert (untimed.speedup, untimed.why) == (None, UNTIMED)
