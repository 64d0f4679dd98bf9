"""Every statistic against an example small enough to count by hand."""

import math
import random

import pytest

from ptp_core.benchmark import acceptance, bounds
from ptp_core.benchmark.acceptance import drafts_of
from ptp_core.benchmark.bounds import Drafter, cost_bound, oracle_speedup, oracle_tokens_per_call
from ptp_core.benchmark.rows import Call, CallBranch, Gains, Row, token_classes
from ptp_core.decoding.costs import CostCurve, ShallowCosts
from ptp_core.statistics import expected_calibration_error, wilson

BRANCHES = Drafter("branches", 1, (0.5, 0.25), 2)


def branch(assumed, slots, kept, probability=0.5):
    return CallBranch(assumed, probability, slots, kept)


def make_row(calls, question="q", method="pqd", classes=None, entropy=None, margin=None):
    n = sum(c.emitted for c in calls)
    seconds = sum(c.ms for c in calls) / 1e3
    return Row(
        question, "x", method, n, len(calls), seconds, True, tokens=list(range(n)),
        entropy=entropy or [0.0] * n, margin=margin or [None] * n, classes=classes or "s" * n, calls=calls,
    )  # fmt: skip


def story():
    """Three calls, six tokens. The first prepares one branch of 4 slots, whose 3 drafts are verified by the second:
    two right, the third wrong. The second prepares branches for 2 (2 slots, kept), 0 and 3 (3 and 2 slots). The third
    verifies the kept one's single draft, right, and ends the text."""
    return make_row(
        [
            Call(0, 9, 50.0, 1, branches=[branch(0, 4, True, 1.0)], expected=0.8),
            Call(
                1, 11, 60.0, 3, 2, [0.9, 0.6, 0.3], "110",
                [branch(0, 3, False, 0.1), branch(2, 2, True, 0.4), branch(3, 2, False, 0.2)], 0.5,
            ),
            Call(4, 2, 40.0, 2, 1, [0.7], "1"),
        ],
        classes="scdpsw", entropy=[0.0, 0.2, 1.2, 2.5, 0.0, 3.5], margin=[None, 0.4, 0.02, 0.005, None, 0.1],
    )  # fmt: skip


def test_drafts_know_their_place_and_fate():
    facts = drafts_of([story()])
    assert [(d.position, d.reached, d.accepted, d.right) for d in facts] == [
        (1, True, True, True), (2, True, True, True), (3, True, False, False), (1, True, True, True),
    ]  # fmt: skip
    assert [d.entropy for d in facts] == [0.2, 1.2, 2.5, 0.0]
    assert [d.margin for d in facts] == [0.4, 0.02, 0.005, None]
    assert [d.token_class for d in facts] == ["c", "d", "p", "s"]
    behind = drafts_of([make_row([Call(0, 1, 1.0, 1), Call(1, 3, 1.0, 1, 0, [0.5, 0.5], "0-")])])
    assert [(d.right, d.entropy) for d in behind] == [(False, 0.0), (None, None)]


def test_by_position_in_its_three_readings():
    row = make_row(
        [Call(0, 1, 1.0, 1), Call(1, 4, 1.0, 1, 0, [0.5] * 3, "011"), Call(2, 4, 1.0, 3, 2, [0.5] * 3, "110")]
    )
    drafts = drafts_of([row])

    def shares(given):
        return [(s.label, s.right, s.count) for s in acceptance.by_position(drafts, given)]

    assert shares("earlier right") == [("1", 1, 2), ("2", 1, 1), ("3", 0, 1)]
    assert shares("all") == [("1", 1, 2), ("2", 1, 2), ("3", 0, 2)]
    assert shares("alone") == [("1", 1, 2), ("2", 2, 2), ("3", 1, 2)]
    with pytest.raises(ValueError, match="alone"):
        acceptance.by_position(drafts, "else")
    assert acceptance.by_position([]) == []


def test_by_entropy_margin_and_class():
    drafts = drafts_of([story()])

    def counted(shares):
        return {s.label: (s.right, s.count) for s in shares if s.count}

    assert counted(acceptance.by_entropy(drafts)) == {
        "0 to 0.01": (1, 1), "0.01 to 0.25": (1, 1), "1 to 1.5": (1, 1), "2 to 3": (0, 1),
    }  # fmt: skip
    assert counted(acceptance.by_margin(drafts)) == {
        "0 to 0.01": (0, 1), "0.01 to 0.03": (1, 1), "0.3 to 0.5": (1, 1), "no other token": (1, 1),
    }  # fmt: skip
    assert counted(acceptance.by_class(drafts)) == {
        "continuation": (1, 1), "digit": (1, 1), "punctuation": (0, 1), "word start": (1, 1),
    }  # fmt: skip
    empty = acceptance.by_class([])
    assert [s.share for s in empty] == [None] * len(empty)


def test_calibration_by_hand():
    drafts = drafts_of([story()])
    curve = {
        s["label"]: (s["right"], s["count"], s["mean_confidence"])
        for s in acceptance.by_confidence(drafts)
        if s["count"]
    }
    assert curve == {
        "0.3 to 0.4": (0, 1, 0.3),
        "0.6 to 0.7": (1, 1, 0.6),
        "0.7 to 0.8": (1, 1, 0.7),
        "0.9 to 1": (1, 1, 0.9),
    }
    assert acceptance.calibration_error(drafts) == pytest.approx((0.3 + 0.4 + 0.3 + 0.1) / 4)
    assert acceptance.calibration_error([]) is None


def test_calibration_error_of_a_known_forecaster():
    """20,000 seeded forecasts. Honest ones: each of ten bins errs by 0.009 on average (normal, n = 2,000), so 0.02 is
    passed with a failure rate far below 1e-6. Negative control: forecasts 0.2 too high err by 0.2 all the same."""
    draw = random.Random(3)
    confidence = [draw.uniform(0.2, 0.8) for _ in range(20_000)]
    right = [draw.random() < c for c in confidence]
    assert expected_calibration_error(confidence, right) < 0.02
    assert expected_calibration_error([c + 0.2 for c in confidence], right) == pytest.approx(0.2, abs=0.02)


def test_wilson_has_the_textbook_values():
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-5)
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-5)
    assert wilson(10, 10) == pytest.approx((0.722467, 1.0), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_covers_the_truth_about_as_often_as_it_says():
    """400 seeded samples of 60 tosses: 95 % should be covered, standard error 1.1 points; 91 % is missed with a
    chance below 1e-3. Negative control: the interval of another coin covers far less."""
    draw = random.Random(5)
    heads = [sum(draw.random() < 0.3 for _ in range(60)) for _ in range(400)]
    covered = sum(low <= 0.3 <= high for low, high in (wilson(h, 60) for h in heads))
    other = sum(low <= 0.5 <= high for low, high in (wilson(h, 60) for h in heads))
    assert covered >= 364
    assert other < 100


def test_accepted_lengths_and_their_geometric_fit():
    calls = [
        Call(0, 1, 1, 1),
        *(Call(1, 3, 1, 1 + a, a, [0.5] * g, "0" * g) for g, a in [(2, 0), (2, 1), (2, 2), (1, 1)]),
    ]
    found = acceptance.accepted_lengths(calls)
    assert found["count"] == 4
    assert found["mean"] == 1.0
    assert found["rate"] == pytest.approx(4 / 6)  # reached: 1 + 2 + 2 + 1
    assert found["observed"] == [1, 2, 1]
    a = 4 / 6
    assert found["expected"] == pytest.approx([4 * (1 - a), 3 * a * (1 - a) + a, 3 * a * a])
    assert sum(found["expected"]) == pytest.approx(4)
    assert acceptance.accepted_lengths([])["rate"] is None


def test_every_slot_is_accounted_for():
    parts = {s.label: s.right for s in acceptance.wasted_slots([story()], num_settled=1)}
    assert parts == {
        "right drafts": 3, "first wrong draft": 1, "behind the first wrong draft": 0, "settled by verification": 2,
        "branch not kept": 5, "behind the end of the text": 0,
    }  # fmt: skip
    cut = make_row(
        [Call(0, 5, 1, 1, branches=[branch(0, 5, True)]), Call(1, 4, 1, 1, 0, [0.5] * 3, "000", [branch(0, 2, True)])]
    )
    parts = {s.label: s.right for s in acceptance.wasted_slots([cut], num_settled=1)}
    assert parts["behind the first wrong draft"] == 2
    assert parts["behind the end of the text"] == 1
    assert parts["branch not kept"] == 2  # the text ended before anybody read it
    assert sum(parts.values()) == 7


def test_expected_against_realised_gain():
    found = acceptance.allocator_gain([story()])
    assert (found["calls"], found["expected"], found["realised"]) == (2, pytest.approx(1.3), 3)
    assert found["ratio"] == pytest.approx(3 / 1.3)
    bins = {b["label"]: (b["count"], b["expected"], b["realised"]) for b in found["bins"] if b["count"]}
    assert bins == {"0.5 to 0.75": (1, 0.5, 1.0), "0.75 to 1": (1, 0.8, 2.0)}


def test_expected_gain_of_branches():
    gains = Gains.of((0.5, 0.25), (0.4, 0.1), num_settled=1, longest=3)
    assert gains.expected([branch(0, 2, False, 0.6), branch(1, 3, True, 0.4)], num_drafts=1) == pytest.approx(
        0.6 * 0.4 + 0.4 * 0.75
    )


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
    ahead = Drafter("ahead", 0, (), 2, ShallowCosts(10.0, 0.5, 1.0))
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


def test_token_classes():
    assert token_classes([" The", "ory", " 12", ",", "\n", "word", "⟨Ã⟩", "s", "'t", "é"]) == "scdpwsospc"


def test_the_whole_analysis_is_plain_data():
    import json

    found = acceptance.analyse([story()], [], BRANCHES, CostCurve((1, 64), (10.0, 10.0)))
    json.dumps(found, allow_nan=False)
    assert found["num_drafts"] == found["num_reached"] == 4
    assert not any(isinstance(v, float) and math.isnan(v) for v in found["lengths"]["expected"])
    nothing = acceptance.analyse([], [], BRANCHES, None)
    assert nothing["bounds"] is None and nothing["calibration_error"] is None
