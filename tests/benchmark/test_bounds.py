"""How fast a method could be: bounds by hand."""

import pytest
from support.rows import BRANCHES, make_row, story

from ptp_core.benchmark import bounds
from ptp_core.benchmark.bounds import Drafter, cost_bound, oracle_speedup, oracle_tokens_per_call
from ptp_core.benchmark.rows import Call
from ptp_core.decoding.costs import CostCurve, DraftCosts


def test_the_cost_bound_by_hand():
    free, linear = CostCurve((1, 64), (10.0, 10.0)), CostCurve((1, 2), (10.0, 20.0))
    assert cost_bound((0.5, 0.25), BRANCHES, free).speedup == pytest.approx(1.75)
    assert cost_bound((0.5, 0.25), BRANCHES, linear).speedup == 1.0  # every position costs a call: nothing pays
    rising = CostCurve((1, 64), (10.0, 73.0))  # one millisecond per further position
    found = cost_bound((0.5, 0.25), BRANCHES, rising)
    assert (found.drafts, found.positions) == (2, 6)
    assert found.speedup == pytest.approx(max(1.5 * 10 / 13, 1.75 * 10 / 15))
    turns = cost_bound((0.5,), Drafter("turns", 1, (), 1), rising)
    assert turns.speedup == pytest.approx(2.5 * 10 / (12 + 11))
    lookup = cost_bound((0.5,), Drafter("lookup", 0, (), 1), rising)
    assert lookup.speedup == pytest.approx(1.5 * 10 / 10.5)  # nobody verifies less than the right drafts


def test_oracles_by_hand():
    run = [0.5, 0.25]
    # slots 4 then 7: room for 2 drafts (the longest allowed). Call 2 had 3 drafts: its 2 right ones stay.
    # Call 3 had one right draft; a second one would have been right with 0.25 / 0.5.
    assert oracle_tokens_per_call([story()], run, BRANCHES) == pytest.approx((1 + 1 + 1 + 2 + 1 + 0.5) / 3)
    rising = CostCurve((1, 64), (10.0, 73.0))
    # behind the prompt: 1 + 2 drafts + 2 slots for one draft = 5 positions, then 1 + 1
    assert oracle_speedup([story()], BRANCHES, rising) == pytest.approx(5 * 10 / (14 + 11))
    assert oracle_speedup([], BRANCHES, rising) is None
    single = make_row([Call(0, 9, 50.0, 1)])  # a text that ends with its first token
    assert oracle_speedup([single], BRANCHES, rising) is None
    assert oracle_speedup([story(), single], BRANCHES, rising) == oracle_speedup([story()], BRANCHES, rising)


def test_bounds_of_drafts_with_a_price_of_their_own():
    """A call of 10 ms, each draft 1.5 ms with its row: two drafts bring 1.75 tokens in 13 ms."""
    ahead = Drafter("ahead", 0, (), 2, DraftCosts(10.0, 0.5, 1.0))
    found = cost_bound((0.5, 0.25), ahead, CostCurve((1, 64), (99.0, 99.0)))
    assert (found.drafts, found.tokens_per_call) == (2, 1.75)
    assert found.speedup == pytest.approx(1.75 * 10 / 13)
    rows = [story()]
    tokens = sum(c.emitted for c in rows[0].calls[1:])
    price = sum(10 + 1.5 * c.accepted for c in rows[0].calls[1:])
    assert bounds.oracle_speedup(rows, ahead, CostCurve((1, 64), (99.0, 99.0))) == pytest.approx(10 * tokens / price)


def test_bounds_hold_what_was_measured():
    ar = make_row([Call(0, 9, 50.0, 1), *(Call(i, 1, 40.0, 1) for i in range(1, 6))], method="ar")
    found = bounds.bounds_of([story()], [ar], BRANCHES, CostCurve((1, 64), (10.0, 10.0)))
    assert found["own_run"] is False  # two verifying calls are too few: the adapter's figures stand in
    assert found["run"] == [0.5, 0.25]
    assert found["speedup_after_prompt"] == pytest.approx((200 / 5) / (100 / 5))
    assert found["reached"] == pytest.approx(2 / 1.75)
    lookup = bounds.measured_run([story()] * 10, Drafter("lookup", 0, (), 2))
    assert lookup[0][0] == pytest.approx((20 + 0.3) / 21)
    silent = make_row([Call(0, 1, 1.0, 1), Call(1, 1, 1.0, 1)])  # a lookup that finds nothing brings nothing
    assert bounds.measured_run([story(), silent] * 10, Drafter("lookup", 0, (), 2))[0][0] == pytest.approx(20.3 / 31)
    assert bounds.measured_run([story(), silent] * 10, BRANCHES)[0][0] == pytest.approx(20.3 / 21)
    many = [story()] * 10
    own = bounds.bounds_of(many, [ar], BRANCHES, CostCurve((1, 64), (10.0, 10.0)))
    assert own["own_run"] is True
    assert own["run"][0] == pytest.approx((20 + 0.3) / 21)
