"""The staircase: from one u to one token, as the target maps it and as the draft does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..coupling import coupling_of
from ..decoding.records import emitted_record
from ..model.ptp_model import PTPModel
from ..sampling import slot_distribution
from ..trace import Emitted, Trace
from .blind import Blind, blind_model, blind_place
from .contexts import Contexts
from .position import Place
from .scan import Steps, finish
from .sweep import Stretch, as_stretches, scan_window

MAX_LISTED = 400


def distribution(model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None) -> Emitted:
    """The record of one token with all its candidates (MAX_LISTED at most).

    It has the bins in CDF order, the tokens that the filters removed, and both omitted masses. Once the context is
    known, it takes one call of one row.

    Raises ValueError for a position outside the text and for a trace of another model.
    """
    return record_of(Place(model, trace, position, contexts), trace)


def record_of(place: Place, trace: Trace) -> Emitted:
    """The record of the trace's token at a place, with all its candidates."""
    token, found, column = trace.emitted[place.position], place.found.cpu(), place.column(trace.noise)
    stay = place.coupling.stay(found, column, trace.noise, place.position)
    return emitted_record(
        place.model, place.logits.cpu(), found, column, stay, trace.sampling.temperature, place.position,
        token.text, token.source, details=True, most=MAX_LISTED,
    )  # fmt: skip


def nearest_flip(token: Emitted) -> float | None:
    """The u nearest to this token's own that picks another token; None where there is no other.

    In a race it is the token's own clock (clock_race.nearest_clock looks at all clocks).
    """
    options = []
    if token.left > 0:
        below = float(np.nextafter(np.float32(token.left), np.float32(0)))
        options.append((token.u - below, below))
    if token.right < 1:
        options.append((token.right - token.u, token.right))
    return min(options)[1] if options else None


# ---- staircase -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Staircase:
    """One position's inverse CDF (the bins of `target`) and the draft's own map from u to the token there.

    kind: how the draft's map was found.
        "argmax"     O-PTP, which reads u. The draft was asked at points. `error` is the summed width of the gaps that
                     hold its changes. `probes` are the fresh points asked afterwards, and how many the map has wrong.
        "recovered"  C-PTP, whose slot holds the distribution. This is exact.
        null         There is no draft: no adapter, or C-PTP begins one token later.
    agreement: share of u on which both give the same token. total_variation: half the summed difference of the
    tokens' shares of u. texts: token -> label.
    blind: the draft without u, the same token for every u. blind_agreement: the share of u on which the target picks
    it. blind_by: whose slot it is (blind.py). All null without an adapter, and where its slots begin one token later.
    """

    target: Emitted
    kind: str | None
    draft: list[Stretch]
    agreement: float | None
    total_variation: float | None
    error: float
    probes: tuple[int, int] | None
    texts: dict[int, str]
    calls: int
    blind: int | None = None
    blind_agreement: float | None = None
    blind_by: Blind | None = None


def staircase(model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None) -> Staircase:
    """The staircase of one position; see Staircase."""
    return finish(staircase_steps(model, trace, position, contexts))


def staircase_steps(model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None) -> Steps[Staircase]:
    """The staircase, with its progress. ValueError for a text that was made with another coupling."""
    if not coupling_of(trace.sampling).one_number:
        raise ValueError("A staircase shows one u per position; this text was made with a race of clocks.")
    contexts = contexts or Contexts()
    place = Place(model, trace, position, contexts)
    target = record_of(place, trace)
    yield 0.1
    draft: list[Stretch] = []
    kind, error, calls, probes = None, 0.0, place.calls, None
    if model.adapter is not None and place.reads_own_u:
        kind = "argmax"
        scan = yield from scan_window(place, trace, 1)
        draft, error = as_stretches(scan)
        calls, probes = place.calls, (scan.num_probed, scan.num_wrong)
    elif model.adapter is not None and position >= model.adapter.lead:
        kind = "recovered"
        before = Place(model, trace, position - 1, contexts) if model.adapter.lead else place
        logits = before.slot_logits([trace.noise[before.position]], [-1])
        found = slot_distribution(logits, trace.sampling.order, full=True)
        draft = [Stretch(left, right, [token]) for token, _, left, right in found.listed(MAX_LISTED)[0]]
        calls = before.calls + (place.calls if before is not place else 0)
    bins = [Stretch(left, right, [token]) for token, _, left, right in place.found.listed(MAX_LISTED)[0]]
    blind, by = None, None
    if model.adapter is not None:
        blind, by, more = _without_u(model, trace, position, contexts)
        calls += more
    return Staircase(
        target=target,
        kind=kind,
        draft=draft,
        agreement=_agreement(bins, draft) if kind else None,
        total_variation=_total_variation(bins, draft) if kind else None,
        error=error,
        probes=probes,
        texts={s.tokens[0]: model.label(s.tokens[0]) for s in [*bins, *draft]} | _label(model, blind),
        calls=calls,
        blind=blind,
        blind_agreement=None if blind is None else sum(s.right - s.left for s in bins if s.tokens == [blind]),
        blind_by=by,
    )


def _without_u(
    model: PTPModel, trace: Trace, position: int, contexts: Contexts
) -> tuple[int | None, Blind | None, int]:
    """The draft of a slot that is not told u, whose slot it is, and the calls that it took."""
    lead = blind_model(model).require_adapter().lead
    if position < lead:
        return None, None, 0
    place, by = blind_place(model, trace, position - lead, contexts)
    return place.likeliest(1 + lead)[-1], by, place.calls


def _label(model: PTPModel, token: int | None) -> dict[int, str]:
    return {} if token is None else {token: model.label(token)}


def _agreement(a: list[Stretch], b: list[Stretch]) -> float:
    return sum(max(0.0, min(x.right, y.right) - max(x.left, y.left)) for x in a for y in b if x.tokens == y.tokens)


def _total_variation(a: list[Stretch], b: list[Stretch]) -> float:
    """Between the shares of u of two maps; what neither lists counts as equal."""
    shares: dict[int, float] = {}
    for sign, stretches in ((1, a), (-1, b)):
        for stretch in stretches:
            shares[stretch.tokens[0]] = shares.get(stretch.tokens[0], 0.0) + sign * (stretch.right - stretch.left)
    return sum(abs(difference) for difference in shares.values()) / 2
