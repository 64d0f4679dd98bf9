"""How many slots a call should carry: a fixed number, or what pays on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from ..costs import CostCurve, Learned
from . import branches

MAX_AUTO_SLOTS = 64
_WORTHWHILE = 0.85  # the share of plain decoding's time per token to promise; the best of many estimates is too good
_CAUTION = 0.8  # the share of the right drafts promised by calibration that comes true on other kinds of question
_PRIOR_TOKENS = 8.0  # the adapter's own figures count as much as so many tokens of this run
_REST, _LONGEST_REST = 7, 63  # calls without a new plan after a plan without drafts: planning takes time too
_OUTLIER = 2.0  # the most that a call counts for, as a multiple of its price: slower ones were disturbed


class DraftBudget:
    """Chooses branch lengths call by call, and learns from what came true.

    A fixed budget spends that many slots on every call. "auto" adds slots while they save more time than they cost. It
    knows the machine's cost curve and the adapter's acceptance, and learns how both do in this run. Where drafts do
    not pay, it spends nothing. It learns the prices of one-position calls and of larger calls separately, since it
    compares the two. As long as it has seen only one of the two kinds, it takes the other to be as slow or as quick.
    """

    def __init__(
        self,
        run: Sequence[float],
        run_rejected: Sequence[float],
        num_settled: int,
        longest: int,
        budget: int | str,
        curve: CostCurve | None,
    ) -> None:
        self.gain = branches.expected_gain(run, num_settled, longest)
        self.gain_rejected = branches.expected_gain(run_rejected, num_settled, longest)
        self.num_settled = num_settled
        self.budget = budget
        self.curve = curve
        self._expected = self._accepted = 0.0
        self._calls_ms = self._tokens = 0.0
        self._resting, self._next_rest = 0, _REST
        self._all = Learned(1.0)  # milliseconds, as multiples of the curve's
        self._plain, self._larger = Learned(self._all), Learned(self._all)
        if curve is not None:
            slots = range(len(self.gain))
            self._prior = min(curve.ms(1 + b + max(b - num_settled, 0)) / (1 + self.gain[b]) for b in slots)

    def plan(self, confidences: Sequence[float], limits: Sequence[int]) -> list[int]:
        """Slots for each outcome m = 0..g of verifying g drafts; limits[m] caps branch m."""
        if self._resting and not confidences:
            self._resting -= 1
            return [0]
        probabilities = branches.branch_probabilities(confidences)
        gains = [self.gain_rejected] * len(confidences) + [self.gain]
        if self.curve is None:
            return branches.Allocations(probabilities, gains, int(self.budget), limits).lengths(int(self.budget))
        lengths = self._best_paying(probabilities, gains, limits)
        if any(lengths):
            self._next_rest = _REST
        elif not confidences:  # without drafts little is learned, so the next plan says hardly anything else
            self._resting, self._next_rest = self._next_rest, min(2 * self._next_rest + 1, _LONGEST_REST)
        return lengths

    def observe(self, expected: float, accepted: int, positions: int, emitted: int, ms: float | None = None) -> None:
        """Records one call: drafts expected to be right and drafts that were, its size, its tokens, and its
        milliseconds (None: unknown, or beside the point)."""
        self._expected += expected
        self._accepted += accepted
        self._tokens += emitted
        if self.curve is not None:
            if ms is not None:
                ratio = min(max(ms / self.curve.ms(positions), 1 / _OUTLIER), _OUTLIER)
                for learned in (self._all, self._plain if positions <= 1 else self._larger):
                    learned.see(ratio)
            self._calls_ms += self.cost(positions)

    def cost(self, positions: float) -> float:
        """Milliseconds of a call of so many positions: the curve's, and more and more as calls took in this run."""
        assert self.curve is not None
        return self.curve.ms(positions) * (self._plain if positions <= 1 else self._larger).value

    @property
    def luck(self) -> float:
        """Right drafts so far over expected ones, shrunk towards _CAUTION."""
        return (self._accepted + _CAUTION * _PRIOR_TOKENS / 2) / (self._expected + _PRIOR_TOKENS / 2)

    def _token_value(self) -> float:
        """Milliseconds that one more token saves: what a token costs at the pace of this run."""
        pace = (self._calls_ms + _PRIOR_TOKENS * self._prior) / (self._tokens + _PRIOR_TOKENS)
        return min(pace, self.cost(1))

    def _best_paying(
        self, probabilities: Sequence[float], gains: Sequence[Sequence[float]], limits: Sequence[int]
    ) -> list[int]:
        cost, value, luck, real_rows = self.cost, self._token_value(), self.luck, len(probabilities)
        allocations = branches.Allocations(probabilities, gains, min(sum(limits), MAX_AUTO_SLOTS), limits)
        nothing = [0] * len(probabilities)
        best, best_net, pace = nothing, 0.0, cost(1)
        for slots in range(1, len(allocations.best)):
            if allocations.best[slots] <= allocations.best[slots - 1]:
                continue
            lengths, brought = allocations.lengths(slots), float(allocations.best[slots]) * luck
            to_verify = sum(p * max(b - self.num_settled, 0) for p, b in zip(probabilities, lengths, strict=True))
            ahead = cost(1 + slots + to_verify)
            now, then = cost(real_rows + slots) - cost(real_rows), ahead - cost(1 + slots)
            net = brought * value - now - then
            if net > best_net:
                best, best_net = lengths, net
            pace = min(pace, ahead / (1 + brought))  # if every call were like this one
        # once drafts are there, more of them cost little; that alone must not keep a losing habit alive
        return best if pace < _WORTHWHILE * cost(1) else nothing
