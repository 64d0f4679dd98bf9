"""Noise maps as the browser draws them: small values, token texts once. app/static/core/wire.js reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.race.view import emitted_view
from ptp_core.maps.blind import Blind
from ptp_core.maps.clock_race import ClockRace
from ptp_core.maps.staircase import Staircase
from ptp_core.maps.sweep import Stretch, Sweep
from ptp_core.maps.unit_square import Column, Square, UnitSquare
from ptp_core.trace import Emitted

_SMALLEST = 2e-5  # areas of a square that are too small to be drawn


def bins_view(token: Emitted) -> dict[str, Any]:
    """One position's whole distribution."""
    return emitted_view(token)


def square_view(square: UnitSquare) -> dict[str, Any]:
    """Columns as [left, right, token, [[bottom, top, token], ...]]; texts by token."""
    return {
        "position": square.position,
        "target": _columns(square.target),
        "omitted": round(square.omitted, 5),
        "draft": _square(square.draft),
        "blind": _square(square.blind),
        "blind_name": without_u(square.blind_by),
        "moved": square.moved,
        "texts": {str(token): text for token, text in square.texts.items()},
        "calls": square.calls,
    }


def without_u(by: Blind | None) -> str:
    """What the page calls a draft without u: which adapter's slots say it."""
    if by is None:
        return ""
    return "u-blind draft: its likeliest token" if by.trained else "own slots, u hidden: their likeliest token"


def _square(square: Square | None) -> dict[str, Any] | None:
    if square is None:
        return None
    area = square.agreement
    return {
        "columns": _columns(square.columns),
        "second": round(area.second, 4),
        "pair": round(area.pair, 4),
        "error": round(area.error, 4),
    }


def _columns(columns: Sequence[Column]) -> list[list[Any]]:
    return [
        [round(c.left, 5), round(c.right, 5), c.token, [
            [round(x.bottom, 4), round(x.top, 4), x.token]
            for x in c.cells if (x.top - x.bottom) * (c.right - c.left) > _SMALLEST
        ]]
        for c in columns
    ]  # fmt: skip


def sweep_view(sweep: Sweep) -> dict[str, Any]:
    """Stretches as [left, right, [tokens]]."""
    return {
        "first": sweep.first,
        "last": sweep.last,
        "target": _stretches(sweep.target),
        "omitted": round(sweep.omitted, 5),
        "draft": None if sweep.draft is None else _stretches(sweep.draft),
        "error": sweep.draft_error,
        "probes": sweep.probes,
        "blind": None if sweep.blind is None else _stretches(sweep.blind),
        "blind_name": without_u(sweep.blind_by),
        "moved": sweep.moved,
        "texts": {str(token): text for token, text in sweep.texts.items()},
        "calls": sweep.calls,
    }


def _stretches(stretches: Sequence[Stretch]) -> list[list[Any]]:
    return [[round(s.left, 5), round(s.right, 5), s.tokens] for s in stretches]


def race_view(race: ClockRace) -> dict[str, Any]:
    """Runners as [token, text, clock, probability, arrival, draft's probability, draft's arrival]; null: it does not
    run there."""
    return {
        "position": race.target.position,
        "runners": [
            [r.token, r.text, round(r.clock, 7), *map(_short, (r.prob, r.arrival, r.draft_prob, r.draft_arrival))]
            for r in race.runners
        ],
        "count": race.num_runners,
        "lead": race.lead,
        "draft": race.draft,
        "drafted_by": "" if race.drafted_by is None else race.drafted_by.adapter,
        "trained": race.drafted_by is not None and race.drafted_by.trained,
        "sharpness": race.sharpness,
        "agreement": race.agreement,
        "limit": race.limit,
        "likeliest": race.likeliest,
        "target": bins_view(race.target),
        "calls": race.calls,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def staircase_view(stairs: Staircase) -> dict[str, Any]:
    """The draft's own map of the position, as a strip under the target's."""
    return {
        "position": stairs.target.position,
        "kind": stairs.kind,
        "draft": _stretches(stairs.draft),
        "agreement": stairs.agreement,
        "total_variation": stairs.total_variation,
        "error": stairs.error,
        "probes": stairs.probes,
        "blind": stairs.blind,
        "blind_agreement": stairs.blind_agreement,
        "blind_name": without_u(stairs.blind_by),
        "texts": {str(token): text for token, text in stairs.texts.items()},
        "target": bins_view(stairs.target),
        "calls": stairs.calls,
    }
