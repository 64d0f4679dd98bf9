"""How many slots a call carries: a fixed budget, or what pays."""

import pytest
from support.costs import FLAT

from ptp_core.decoding.costs import CostCurve
from ptp_core.decoding.drafters.slot_budget import DraftBudget

STEEP = CostCurve((1, 2, 64), (10.0, 40.0, 800.0))


def test_a_budget_follows_the_cost_curve():
    free = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", FLAT)
    dear = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", STEEP)
    assert sum(free.plan([0.5, 0.5], [4, 4, 4])) == 10  # a third draft never helps after a rejection
    assert sum(dear.plan([0.5, 0.5], [4, 4, 4])) == 0
    assert DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, 5, None).plan([], [4]) == [4]


def test_a_budget_learns_that_drafts_fail():
    curve = CostCurve((1, 2, 64), (10.0, 12.0, 30.0))
    budget = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", curve)
    hopeful = sum(budget.plan([], [4]))
    for _ in range(60):
        budget.observe(expected=0.9, accepted=0, positions=8, emitted=1)
    assert hopeful > 0
    assert sum(budget.plan([], [4])) == 0


def test_a_budget_learns_what_calls_take():
    """Only how plain and larger calls compare counts: a machine that is slow in both drafts as before."""
    curve = CostCurve((1, 64), (10.0, 12.0))

    def drafts_after(plain, larger):
        budget = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", curve)
        for _ in range(40):
            budget.observe(expected=0.5, accepted=0, positions=1, emitted=1, ms=plain)
            budget.observe(expected=0.5, accepted=1, positions=8, emitted=2, ms=larger)
        return sum(budget.plan([], [4]))

    assert drafts_after(10.0, 10.2) == drafts_after(19.0, 19.4) > 0
    assert drafts_after(10.0, 19.0) == 0
    assert drafts_after(10.0, 1e6) == 0


def test_a_price_already_paid_keeps_no_losing_habit_alive():
    """The step from one position to two is dear, more are free: with drafts under way a slot seems to cost nothing."""
    curve = CostCurve((1, 2, 64), (10.0, 13.0, 13.1))
    losing = DraftBudget((0.2, 0.02), (0.2, 0.02), 1, 3, "auto", curve)
    winning = DraftBudget((0.5, 0.3), (0.5, 0.3), 1, 3, "auto", curve)
    for drafts, limits in (([], [3]), ([0.2, 0.2], [3, 3, 3])):
        assert sum(losing.plan(drafts, limits)) == 0
        assert sum(winning.plan(drafts, limits)) > 0


def test_a_plan_to_spend_nothing_is_looked_into_again_after_some_calls(monkeypatch):
    curve = CostCurve((1, 64), (10.0, 12.0))
    budget = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", curve)
    monkeypatch.setattr(curve.__class__, "ms", lambda self, positions: 10.0 if positions <= 1 else 50.0)
    assert budget.plan([], [4]) == [0]
    monkeypatch.undo()  # now drafts are cheap
    assert sum(budget.plan([0.5], [4, 4])) > 0  # drafts at hand are no matter of rest
    assert [sum(budget.plan([], [4])) > 0 for _ in range(9)] == [False] * 7 + [True] * 2


def test_plans_to_spend_nothing_rest_longer_and_longer_until_one_spends(monkeypatch):
    budget = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", STEEP)
    thought: list[int] = []  # the lengths of the plans that were thought through

    def plan(answer: int, confidences: list[float]) -> bool:
        """Whether a plan is thought through; its answer is given."""
        before = len(thought)
        monkeypatch.setattr(budget, "_best_paying", lambda *args: thought.append(answer) or [answer])
        budget.plan(confidences, [4] * (len(confidences) + 1))
        return len(thought) > before

    assert [i for i in range(256) if plan(0, [])] == [0, 8, 24, 56, 120, 184, 248]
    assert plan(2, [0.5])
    assert [i for i in range(256, 330) if plan(0, [])] == [312, 320]  # the rest under way, then a short one again


def test_larger_calls_are_taken_to_be_as_slow_as_the_plain_ones_until_some_were_seen():
    curve = CostCurve((1, 64), (10.0, 12.0))

    def price(plain: float, larger: float | None) -> float:
        budget = DraftBudget((0.5, 0.3, 0.1), (0.3, 0.1), 1, 4, "auto", curve)
        for _ in range(400):
            budget.observe(expected=0.0, accepted=0, positions=1, emitted=1, ms=plain)
            if larger is not None:
                budget.observe(expected=0.0, accepted=0, positions=64, emitted=1, ms=larger)
        return budget.cost(64) / budget.cost(1)

    assert price(10.0, None) == pytest.approx(1.2)
    assert price(15.0, None) == pytest.approx(1.2, rel=0.01)
    assert price(15.0, 12.0) == pytest.approx(0.8, rel=0.02)
    assert price(10.0, 18.0) == pytest.approx(1.8, rel=0.02)
