"""How fast a method could be: bounds from measured acceptance and the measured price of a call.

A call's price depends on its positions: 1 for the last token, 1 per draft to verify, 1 per slot. Bounds speak
of the time behind the prompt, in multiples of plain decoding's speed. Other slots draft between calls, so there a
draft has a price of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from ..coupling import coupling_of
from ..decoding.costs import CostCurve, DraftCosts
from ..decoding.drafters.slots import allocator_runs
from ..decoding.settings import window_of
from ..decoding.slots import SlotRule
from ..methods import TABLE
from ..model.ptp_model import PTPModel
from ..statistics import survival
from .config import BenchConfig
from .rows import Call, Gains, Row
from .summary import speedups

_ENOUGH_CALLS = 20  # verifying calls from which a run's own acceptance is taken


@dataclass(frozen=True)
class Drafter:
    """How a method drafts.

    kind:
        "branches"  verification and slots share a call
        "turns"     a draft call, then a verify call
        "ahead"     slots draft between calls, at `costs`
        "lookup"    no slots

    run[k-1] = P(N >= k) is used where a run itself verified too few drafts.
    """

    kind: str
    num_settled: int = 1
    run: tuple[float, ...] = ()
    longest: int = 1
    costs: DraftCosts | None = None

    def plain_ms(self, curve: CostCurve) -> float:
        return self.costs.call if self.costs else curve.ms(1)

    def ahead_ms(self, drafts: float) -> float:
        """A call with drafts made ahead of it."""
        assert self.costs is not None
        opening = self.costs.opening if drafts else 0.0
        return self.costs.call + opening + drafts * (self.costs.draft + self.costs.row)


@dataclass(frozen=True)
class Bound:
    """The best number of drafts per call, what a call then brings and carries, and the speed-up that this gives."""

    drafts: int
    tokens_per_call: float
    positions: float
    speedup: float


def cost_bound(run: Sequence[float], drafter: Drafter, curve: CostCurve) -> Bound:
    """The best speed-up of any fixed number of drafts if no slot is spent on a branch that does not come true.

    run[k-1] = P(N >= k). No real allocator reaches it: it would have to know the outcome. Looked-up drafts cost
    nothing but their verification; their bound verifies only the right ones.
    """
    plain = drafter.plain_ms(curve)
    best = Bound(0, 1.0, 1.0, 1.0)
    right = 0.0
    for drafts, chance in enumerate(run, start=1):
        right += chance
        slots = drafts + drafter.num_settled
        if drafter.kind == "turns":
            tokens, positions = (2 + right) / 2, 1 + (slots + drafts) / 2
            ms = (curve.ms(1 + slots) + curve.ms(1 + drafts)) / 2
        elif drafter.costs is not None:
            tokens, positions, ms = 1 + right, 1 + drafts, drafter.ahead_ms(drafts)
        else:
            tokens, positions = 1 + right, 1 + (drafts + slots if drafter.kind == "branches" else right)
            ms = curve.ms(positions)
        if tokens * plain / ms > best.speedup:
            best = Bound(drafts, tokens, positions, tokens * plain / ms)
    return best


def measured_run(rows: Sequence[Row], drafter: Drafter) -> tuple[list[float], bool]:
    """P(N >= k) for k = 1..longest, and whether it is these rows' own (else the adapter's figures).

    A call without drafts says nothing about slots; where drafts are looked up, it means that none were found.
    """
    calls = [c for row in rows for c in row.calls[1:] if c.confidences or drafter.kind == "lookup"]
    outcomes = [[i < c.accepted for i in range(min(c.accepted + 1, len(c.confidences)))] or [False] for c in calls]
    if len(outcomes) < _ENOUGH_CALLS:
        return list(drafter.run[: drafter.longest]), False
    return list(survival(outcomes, min(drafter.longest, max(map(len, outcomes))))), True


def oracle_tokens_per_call(rows: Sequence[Row], run: Sequence[float], drafter: Drafter) -> float | None:
    """Tokens per call if each call's slots had all gone to the branch that came true.

    Where a wrong draft was seen, more slots bring nothing; where all drafts were right, what further ones would
    have brought is taken from run. None without calls.
    """
    tokens = calls = 0.0
    for row in rows:
        for call in row.calls:
            calls += 1
            tokens += call.emitted - call.accepted
        for call, after in pairwise(row.calls):
            room = min(sum(b.num_slots for b in call.branches) - drafter.num_settled, drafter.longest)
            tokens += _right_with_room(after, room, run)
    return tokens / calls if calls else None


def _right_with_room(call: Call, room: int, run: Sequence[float]) -> float:
    """Right drafts that `room` drafts would have brought to this call (never fewer than it had)."""
    drafted, accepted = len(call.confidences), call.accepted
    if accepted < drafted or room <= drafted:
        return accepted
    reached = run[drafted - 1] if drafted else 1.0
    further = sum(run[drafted : min(room, len(run))])
    return accepted + (further / reached if reached > 0 else 0.0)


def oracle_speedup(rows: Sequence[Row], drafter: Drafter, curve: CostCurve) -> float | None:
    """Speed-up if the same drafts had been accepted and no position been wasted: no wrong draft, no slot of
    another branch. First calls, which read the prompt, are left out. None without calls."""
    tokens, ms = 0, 0.0
    for row in rows:
        for call, after in zip(row.calls[1:], [*row.calls[2:], None], strict=False):  # nothing follows the last one
            slots = after.accepted + drafter.num_settled if after and after.accepted and call.branches else 0
            tokens += call.emitted
            ms += curve.ms(1 + call.accepted + slots) if drafter.costs is None else drafter.ahead_ms(call.accepted)
    return tokens * drafter.plain_ms(curve) / ms if ms else None


def bounds_of(rows: Sequence[Row], ar: Sequence[Row], drafter: Drafter, curve: CostCurve) -> dict[str, Any]:
    """The bounds of one method's rows, and the share of the cost bound that was reached.

    own_run says whether acceptance is these rows' own. reached = measured speed-up behind the prompt / bound.
    """
    run, own = measured_run(rows, drafter)
    bound = cost_bound(run, drafter, curve)
    measured = speedups(rows, ar)["speedup_after_prompt"]
    return {
        "run": run,
        "own_run": own,
        "cost_bound": asdict(bound),
        "speedup_after_prompt": measured,
        "reached": measured / bound.speedup if measured else None,
        "oracle_tokens_per_call": oracle_tokens_per_call(rows, run, drafter),
        "oracle_speedup": oracle_speedup(rows, drafter, curve),
    }


def gains_of(model: PTPModel, config: BenchConfig, method: str) -> Gains | None:
    """What the allocator expects of the method's slots; None for methods without slots."""
    if not TABLE[method].by_slots:
        return None
    adapter = model.require_adapter()
    rule = SlotRule(TABLE[method].sees_u, draft_rule=config.draft_rule)
    runs = allocator_runs(model, bool(config.chained), rule.kind(adapter, coupling_of(config.sampling())))
    settled = adapter.num_settled
    return Gains.of(*runs, settled, window_of(model, config.num_speculative_tokens) + settled)
