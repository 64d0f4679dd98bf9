"""What is accepted, and why: figures by hand."""

import math
import random

import pytest
from support.rows import BRANCHES, branch, make_row, story

from ptp_core.benchmark import acceptance
from ptp_core.benchmark.acceptance import drafts_of
from ptp_core.benchmark.rows import Call, Gains
from ptp_core.decoding.costs import CostCurve
from ptp_core.statistics import expected_calibration_error


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


def test_the_whole_analysis_is_plain_data():
    import json

    found = acceptance.analyse([story()], [], BRANCHES, CostCurve((1, 64), (10.0, 10.0)))
    json.dumps(found, allow_nan=False)
    assert found["num_drafts"] == found["num_reached"] == 4
    assert not any(isinstance(v, float) and math.isnan(v) for v in found["lengths"]["expected"])
    nothing = acceptance.analyse([], [], BRANCHES, None)
    assert nothing["bounds"] is None and nothing["calibration_error"] is None
