"""The unit square: which pair of tokens each (u1, u2) gives, for the target and for two kinds of draft.

In a race of clocks u1 and u2 are the clocks of one token at each of the two positions, all others as they are.
The target's square is exact, since its bins are nested: u1 picks the first token, and with it the bins for u2. A draft
without u is its likeliest token, so it has the same second token everywhere. It is exact too. The PTP draft reads u.
It is asked at points, more densely where its answer changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..trace import Trace
from .blind import Blind, blind_place
from .contexts import Contexts
from .position import Place
from .scan import Scan, Steps, finish, middles

MAX_FIRST, MAX_SECOND = 48, 64  # bins listed of the first token, and of the second above each
_COLUMNS = 24  # the fewest u1 at which the draft is asked
_THIN = 1 / 256  # bins of u1 that are wider get a column of their own
_POINTS, _TOLERANCE = 12, 1 / 128  # first points over u2; the width to which a change is located
_CONFIDENCE = 1.96


@dataclass(frozen=True)
class Cell:
    """An interval [bottom, top) of u2 that picks `token`."""

    bottom: float
    top: float
    token: int


@dataclass(frozen=True)
class Column:
    """An interval [left, right) of u1 that picks `token`, and the second tokens above it."""

    left: float
    right: float
    token: int
    cells: list[Cell]


@dataclass(frozen=True)
class Agreement:
    """Areas of the square on which a draft's second token, and its whole pair, are the target's.

    error: half width of a 95 % interval of both, 0 where the area is computed and not sampled.
    """

    second: float
    pair: float
    error: float


@dataclass(frozen=True)
class Square:
    """A draft's columns (drawn at one u1 each where it was asked at points) and how well it agrees."""

    columns: list[Column]
    agreement: Agreement


@dataclass(frozen=True)
class UnitSquare:
    """The partition of (u1, u2), the noise of `position` and of the next one, into token pairs.

    omitted: area of the target's pairs that are not listed. draft: the PTP draft. blind: the draft without u, and
    blind_by whose slots it is (blind.py). All three are null without an adapter. moved: the tokens whose clocks u1 and
    u2 are; null where one u serves all tokens.
    """

    position: int
    u1: float
    u2: float
    target: list[Column]
    omitted: float
    draft: Square | None
    blind: Square | None
    texts: dict[int, str]
    calls: int
    blind_by: Blind | None = None
    moved: tuple[int, int] | None = None


def unit_square_steps(
    model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None, seed: int = 0
) -> Steps[UnitSquare]:
    """The square, with its progress. seed: of the points at which the draft is asked.

    Raises ValueError for a position outside the text.
    """
    contexts = contexts or Contexts()
    place = Place(model, trace, position, contexts)
    yield 0.05
    moved = _clocks(place, trace)
    firsts = place.answers(trace, moved[0], MAX_FIRST)
    found = place.extend_lanes([token for token, *_ in firsts]).cpu()
    above = [
        place.coupling.answers(found.row(i), trace.noise, position + 1, moved[1], MAX_SECOND)
        for i in range(len(firsts))
    ]
    place.close_lanes()
    target = [
        Column(left, right, token, [Cell(bottom, top, second) for second, _, bottom, top in cells])
        for (token, _, left, right), cells in zip(firsts, above, strict=True)
    ]
    yield 0.2
    draft = blind = by = None
    calls = 0
    if model.adapter is not None:
        beside, by = blind_place(model, trace, position, contexts)
        blind = _blind_square(beside, target)
        calls = beside.calls
        yield 0.25
        draft = yield from _draft_steps(place, trace, moved, target, seed)
    columns = [*target, *(draft.columns if draft else []), *(blind.columns if blind else [])]
    shown = {token for column in columns for token in (column.token, *(cell.token for cell in column.cells))}
    return UnitSquare(
        position=position,
        u1=place.coupling.number(trace.noise, position, moved[0]),
        u2=place.coupling.number(trace.noise, position + 1, moved[1]),
        target=target,
        omitted=max(0.0, 1 - sum((c.right - c.left) * sum(x.top - x.bottom for x in c.cells) for c in target)),
        draft=draft,
        blind=blind,
        texts={token: model.label(token) for token in sorted(shown)},
        calls=place.calls + calls,
        blind_by=by,
        moved=None if place.coupling.one_number else moved,
    )


def unit_square(
    model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None, seed: int = 0
) -> UnitSquare:
    """The square of `position` and the next one; see UnitSquare."""
    return finish(unit_square_steps(model, trace, position, contexts, seed))


def _clocks(place: Place, trace: Trace) -> tuple[int, int]:
    """The tokens whose clocks the square moves: the text's own two. Behind its end it is the target's likeliest."""
    at = place.position
    if at + 1 < len(trace.tokens):
        return trace.tokens[at], trace.tokens[at + 1]
    found = place.extend_lanes([trace.tokens[at]])
    place.close_lanes()
    return trace.tokens[at], int(found.tokens[0, found.probs[0].argmax()])


# ---- the draft without u -------------------------------------------------------------------------------


def _blind_square(place: Place, target: Sequence[Column]) -> Square:
    first, second = place.likeliest(2)
    assert second is not None
    cells = [Cell(0.0, 1.0, second)]
    edges = [(c.left, c.right, c.token) for c in target] if first is None else [(0.0, 1.0, first)]
    columns = [Column(*edge, cells) for edge in edges]
    right_second = right_pair = 0.0
    for theirs in target:
        height = _common(theirs.cells, cells)
        right_second += (theirs.right - theirs.left) * height
        right_pair += height * sum(_overlap(c, theirs) for c in columns if c.token == theirs.token)
    return Square(columns, Agreement(right_second, right_pair, 0.0))


def _overlap(a: Column, b: Column) -> float:
    return max(0.0, min(a.right, b.right) - max(a.left, b.left))


def _common(a: Sequence[Cell], b: Sequence[Cell]) -> float:
    """The length of u2 on which two lists of cells pick the same token."""
    other: dict[int, list[Cell]] = {}
    for cell in b:
        other.setdefault(cell.token, []).append(cell)
    return sum(
        max(0.0, min(cell.top, match.top) - max(cell.bottom, match.bottom))
        for cell in a
        for match in other.get(cell.token, ())
    )


# ---- the draft that reads u ------------------------------------------------------------------------------


def _draft_steps(
    place: Place, trace: Trace, moved: tuple[int, int], target: Sequence[Column], seed: int
) -> Steps[Square]:
    """Asks at one random u1 in each of many strips that cover [0, 1)."""
    at, coupling = place.position, place.coupling
    strips = _strips(target)
    jitter = NoiseTape(seed).values(0, len(strips))
    u1 = [left + j * (right - left) for (left, right), j in zip(strips, jitter, strict=True)]
    tapes = [coupling.moved(trace.noise, at, moved[0], u) for u in u1]
    tokens = [window[0] for window in place.windows(tapes, 1)]
    if not coupling.one_number:
        ask = _asked_twice(place, tapes, moved[1])
        cells = yield from _scan_cells(ask, len(u1))
    elif place.reads_own_u:
        cells = yield from _scan_cells(lambda asked, u2: place.second_tokens([u1[i] for i in asked], u2), len(u1))
    else:
        rows = place.second_distributions(u1).listed(MAX_SECOND)
        cells = [[Cell(bottom, top, token) for token, _, bottom, top in row] for row in rows]
    columns = [Column(*strip, token, above) for strip, token, above in zip(strips, tokens, cells, strict=True)]
    return Square(columns, _agreement(columns, u1, target))


def _strips(target: Sequence[Column]) -> list[tuple[float, float]]:
    """Intervals of u1: equal ones, cut at the edges of the target's bins that are not very thin."""
    edges = {i / _COLUMNS for i in range(_COLUMNS + 1)}
    edges |= {edge for c in target if c.right - c.left > _THIN for edge in (c.left, c.right)}
    cuts = sorted(edges)
    merged = [cuts[0]]
    for cut in cuts[1:]:
        if cut - merged[-1] > 1e-6:
            merged.append(cut)
    merged[-1] = 1.0
    return list(pairwise(merged))


Ask = Callable[[Sequence[int], Sequence[Sequence[float]]], list[list[int]]]


def _asked_twice(place: Place, tapes: Sequence[NoiseTape], token: int) -> Ask:
    """Second tokens in a race: whole windows on tapes whose second clock is moved, too."""

    def ask(asked: Sequence[int], u2: Sequence[Sequence[float]]) -> list[list[int]]:
        moved = [
            place.coupling.moved(tapes[i], place.position + 1, token, value)
            for i, values in zip(asked, u2, strict=True)
            for value in values
        ]
        found = iter(place.windows(moved, 2))
        return [[next(found)[1] for _ in values] for values in u2]

    return ask


def _scan_cells(ask: Ask, count: int) -> Steps[list[list[Cell]]]:
    """The second tokens above each of `count` u1, found by halving the gaps in which they change."""
    scans = [Scan(middles(_POINTS)) for _ in range(count)]
    for done in range(_POINTS):  # each round halves the gaps, so it ends long before
        open_ones = [i for i, scan in enumerate(scans) if scan.wanted]
        if not open_ones:
            break
        answers = ask(open_ones, [scans[i].wanted for i in open_ones])
        for i, answer in zip(open_ones, answers, strict=True):
            scans[i].learn(answer, _TOLERANCE)
        yield min(0.95, 0.45 + 0.12 * done)
    return [[Cell(*stretch) for stretch in scan.stretches()[0]] for scan in scans]


def _agreement(columns: Sequence[Column], u1: Sequence[float], target: Sequence[Column]) -> Agreement:
    """Areas estimated from one random column per strip."""
    widths = np.array([c.right - c.left for c in columns])
    second, pair = np.zeros(len(columns)), np.zeros(len(columns))
    for i, (column, u) in enumerate(zip(columns, u1, strict=True)):
        theirs = next((c for c in target if c.left <= u < c.right), None)
        if theirs is not None:
            second[i] = _common(column.cells, theirs.cells)
            pair[i] = second[i] * (column.token == theirs.token)
    return Agreement(
        float(widths @ second), float(widths @ pair), max(_half_width(second, widths), _half_width(pair, widths))
    )


def _half_width(values: np.ndarray, widths: np.ndarray) -> float:
    """Half of a 95 % interval for the mean of values in [0, 1], one random draw per strip.

    A strip's variance is estimated from the differences of its neighbours. It is never taken to be less than 1/24,
    since nobody sees what lies between the points above one u1. An even spread over [0, 1) has 1/12.
    """
    steps = np.diff(values) ** 2 / 2
    spread = np.maximum(np.append(steps, 0.0), np.insert(steps, 0, 0.0))
    return _CONFIDENCE * float(np.sqrt(widths**2 @ np.maximum(spread, 1 / 24)))
