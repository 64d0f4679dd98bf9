"""What is accepted, and why: pure functions over a benchmark's rows. No model, no clock.

A draft is *reached* when all drafts before it in its call were right. Only then does verification compare it with
the text. Shares carry Wilson's 95 % interval, which takes tokens as independent. Tokens of one text are not quite
independent, so the interval is a little narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, TypeVar

from ..decoding.costs import CostCurve
from ..statistics import bootstrap_ratio, expected_calibration_error, wilson
from .bounds import Drafter, bounds_of
from .rows import TOKEN_CLASSES, Call, Row

T = TypeVar("T")
ENTROPY_EDGES = (0.0, 0.01, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf)  # nats
MARGIN_EDGES = (0.0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0)
CONFIDENCE_EDGES = tuple(i / 10 for i in range(11))
GAIN_EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, math.inf)


@dataclass(frozen=True)
class Share:
    """right of count, with the 95 % interval of the share; all three are None where count is 0."""

    label: str
    right: int
    count: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class DraftFact:
    """A drafted token. position counts from 1 within its call.

    right, the target's entropy, the margin of u and the class are None behind the text's end. The margin is also None
    where the target left no choice.
    """

    question_id: str
    position: int
    reached: bool
    accepted: bool
    right: bool | None
    confidence: float
    entropy: float | None
    margin: float | None
    token_class: str | None


def share(label: str, right: int, count: int) -> Share:
    if count == 0:
        return Share(label, 0, 0, None, None, None)
    return Share(label, right, count, right / count, *wilson(right, count))


def drafting_methods(rows: Iterable[Row]) -> list[str]:
    """The methods that verified a draft or spent a slot, in order of appearance."""
    return list(dict.fromkeys(r.method for r in rows if any(c.confidences or c.branches for c in r.calls)))


def drafts_of(rows: Iterable[Row]) -> list[DraftFact]:
    """Every verified draft of these rows."""
    facts = []
    for row in rows:
        for call in row.calls:
            for i, (confidence, right) in enumerate(zip(call.confidences, call.right, strict=True)):
                place = call.start + i
                inside = place < row.num_tokens
                facts.append(
                    DraftFact(
                        question_id=row.question_id,
                        position=i + 1,
                        reached=i <= call.accepted,
                        accepted=i < call.accepted,
                        right=None if right == "-" else right == "1",
                        confidence=confidence,
                        entropy=row.entropy[place] if inside else None,
                        margin=row.margin[place] if inside else None,
                        token_class=row.classes[place] if inside else None,
                    )
                )
    return facts


# ---- shares ----------------------------------------------------------------------------------------------


def by_position(drafts: Sequence[DraftFact], given: str = "earlier right") -> list[Share]:
    """Right drafts by their position in the call.

    given = "earlier right": the accepted among those reached. "all": the accepted among all drafts at that position.
    "alone": the drafts that equal the text's token at their place, whatever came before them.
    """
    if given not in ("earlier right", "all", "alone"):
        raise ValueError(f'given is "earlier right", "all" or "alone", got {given!r}.')
    shares = []
    for k in range(1, max((d.position for d in drafts), default=0) + 1):
        here = [d for d in drafts if d.position == k]
        if given == "alone":
            here = [d for d in here if d.right is not None]
            right = sum(bool(d.right) for d in here)
        else:
            here = [d for d in here if d.reached] if given == "earlier right" else here
            right = sum(d.accepted for d in here)
        shares.append(share(str(k), right, len(here)))
    return shares


def by_entropy(drafts: Sequence[DraftFact]) -> list[Share]:
    """Accepted of reached drafts by the entropy of the target's distribution there."""
    return _binned(_reached(drafts), lambda d: d.entropy, ENTROPY_EDGES)


def by_margin(drafts: Sequence[DraftFact]) -> list[Share]:
    """Accepted of reached drafts by how far u was from another token, and where there was no other token."""
    reached = [d for d in _reached(drafts) if d.token_class is not None]
    certain = [d for d in reached if d.margin is None]
    shares = _binned(reached, lambda d: d.margin, MARGIN_EDGES)
    return [*shares, share("no other token", sum(d.accepted for d in certain), len(certain))]


def by_class(drafts: Sequence[DraftFact]) -> list[Share]:
    """Accepted of reached drafts by the class of the text's token there."""
    reached = _reached(drafts)
    found = []
    for letter, name in TOKEN_CLASSES.items():
        here = [d for d in reached if d.token_class == letter]
        found.append(share(name, sum(d.accepted for d in here), len(here)))
    return found


def by_confidence(drafts: Sequence[DraftFact]) -> list[dict[str, Any]]:
    """The calibration curve: a Share per tenth of confidence, with the mean confidence of its drafts."""
    reached = _reached(drafts)
    shares = _binned(reached, lambda d: d.confidence, CONFIDENCE_EDGES)
    curve = []
    for i, found in enumerate(shares):
        inside = [d.confidence for d in reached if _bin(d.confidence, CONFIDENCE_EDGES) == i]
        curve.append({**asdict(found), "mean_confidence": sum(inside) / len(inside) if inside else None})
    return curve


def calibration_error(drafts: Sequence[DraftFact]) -> float | None:
    """Expected calibration error over reached drafts; None without any."""
    reached = _reached(drafts)
    if not reached:
        return None
    return expected_calibration_error([d.confidence for d in reached], [d.accepted for d in reached])


def _reached(drafts: Sequence[DraftFact]) -> list[DraftFact]:
    return [d for d in drafts if d.reached]


def _bin(value: float, edges: Sequence[float]) -> int:
    """The interval [edges[i], edges[i + 1]) that holds value; the last one holds its right edge too."""
    return next((i for i in range(len(edges) - 2) if value < edges[i + 1]), len(edges) - 2)


def _labels(edges: Sequence[float]) -> list[str]:
    return [f"{a:g} or more" if math.isinf(b) else f"{a:g} to {b:g}" for a, b in pairwise(edges)]


def binned(
    items: Sequence[T], value: Callable[[T], float | None], edges: Sequence[float], right: Callable[[T], bool]
) -> list[Share]:
    """A Share for each interval between edges, of the items whose value lies in it; those without one are left out."""
    groups: list[list[T]] = [[] for _ in edges[1:]]
    for item in items:
        found = value(item)
        if found is not None:
            groups[_bin(found, edges)].append(item)
    return [
        share(label, sum(map(right, group)), len(group)) for label, group in zip(_labels(edges), groups, strict=True)
    ]


def _binned(
    drafts: Sequence[DraftFact], value: Callable[[DraftFact], float | None], edges: Sequence[float]
) -> list[Share]:
    return binned(drafts, value, edges, lambda d: d.accepted)


# ---- calls -----------------------------------------------------------------------------------------------


def accepted_lengths(calls: Sequence[Call]) -> dict[str, Any]:
    """How many drafts verifying calls accepted, beside what one constant chance per draft would give.

    rate = accepted / reached drafts. This is the geometric fit; it knows that a call ends with its last draft.
    observed and expected count calls by number of accepted drafts.
    """
    verifying = [(len(c.confidences), c.accepted) for c in calls if c.confidences]
    accepted = sum(a for _, a in verifying)
    reached = sum(min(a + 1, g) for g, a in verifying)
    if not verifying:
        return {"count": 0, "mean": None, "rate": None, "observed": [], "expected": []}
    rate, longest = accepted / reached, max(g for g, _ in verifying)
    observed = [sum(a == n for _, a in verifying) for n in range(longest + 1)]
    expected = [
        sum(rate**n * (1 - rate) for g, _ in verifying if n < g) + sum(rate**n for g, _ in verifying if n == g)
        for n in range(longest + 1)
    ]
    count = len(verifying)
    return {"count": count, "mean": accepted / count, "rate": rate, "observed": observed, "expected": expected}


def wasted_slots(rows: Sequence[Row], num_settled: int) -> list[Share]:
    """Where the slots went: six parts whose counts sum to all slots (each Share's count)."""
    names = ("right drafts", "first wrong draft", "behind the first wrong draft", "settled by verification",
             "branch not kept", "behind the end of the text")  # fmt: skip
    parts = dict.fromkeys(names, 0)
    for row in rows:
        for call, after in zip(row.calls, [*row.calls[1:], None], strict=True):
            for branch in call.branches:
                if not branch.kept or after is None:
                    parts["branch not kept"] += branch.num_slots
                    continue
                settled, verified = min(num_settled, branch.num_slots), len(after.confidences)
                wrong = int(after.accepted < verified)
                parts["settled by verification"] += settled
                parts["right drafts"] += after.accepted
                parts["first wrong draft"] += wrong
                parts["behind the first wrong draft"] += verified - after.accepted - wrong
                parts["behind the end of the text"] += branch.num_slots - settled - verified
    total = sum(parts.values())
    return [share(name, count, total) for name, count in parts.items()]


def allocator_gain(rows: Sequence[Row]) -> dict[str, Any]:
    """Right drafts that the slots were expected to bring, against those that came true in the next call.

    ratio = realised / expected over all calls with slots and a call behind them; its interval is bootstrapped
    over questions. bins group calls by what was expected of them.
    """
    pairs = [[(call.expected, after.accepted) for call, after in pairwise(row.calls) if call.branches] for row in rows]
    every = [pair for own in pairs for pair in own]
    expected, realised = sum(e for e, _ in every), sum(r for _, r in every)
    sums = [(sum(r for _, r in own), sum(e for e, _ in own)) for own in pairs if sum(e for e, _ in own) > 0]
    bins = []
    for i, label in enumerate(_labels(GAIN_EDGES)):
        inside = [pair for pair in every if _bin(pair[0], GAIN_EDGES) == i]
        n = len(inside)
        bins.append(
            {
                "label": label,
                "count": n,
                "expected": sum(e for e, _ in inside) / n if n else None,
                "realised": sum(r for _, r in inside) / n if n else None,
            }
        )
    return {
        "calls": len(every),
        "expected": expected,
        "realised": realised,
        "ratio": realised / expected if expected else None,
        "ratio_interval": bootstrap_ratio(sums),
        "bins": bins,
    }


def analyse(rows: Sequence[Row], ar: Sequence[Row], drafter: Drafter, curve: CostCurve | None) -> dict[str, Any]:
    """All of it for the rows of one method, as plain data. ar = the same questions by ar."""
    drafts = drafts_of(rows)
    calls = [call for row in rows for call in row.calls]
    return {
        "num_questions": len(rows),
        "num_calls": len(calls),
        "num_drafts": len(drafts),
        "num_reached": len(_reached(drafts)),
        "by_position": [asdict(s) for s in by_position(drafts)],
        "by_position_all": [asdict(s) for s in by_position(drafts, "all")],
        "by_position_alone": [asdict(s) for s in by_position(drafts, "alone")],
        "by_entropy": [asdict(s) for s in by_entropy(drafts)],
        "by_margin": [asdict(s) for s in by_margin(drafts)],
        "by_class": [asdict(s) for s in by_class(drafts)],
        "by_confidence": by_confidence(drafts) if drafter.kind != "lookup" else [],
        "calibration_error": calibration_error(drafts) if drafter.kind != "lookup" else None,
        "lengths": accepted_lengths(calls),
        "slots": [asdict(s) for s in wasted_slots(rows, drafter.num_settled)],
        "allocator": allocator_gain(rows),
        "bounds": bounds_of(rows, ar, drafter, curve) if curve else None,
    }
