"""The race as the browser draws it: small values that say everything the picture shows.

Keys are short because a value travels with every update. app/static/core/wire.js reads them:

    k kind    s seconds    n positions    a accepted    x kind of the extra token
    d drafts    b branches    e emitted tokens
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from app.settings import U_DIGITS
from ptp_core.analysis import nearest_clock, nearest_flip
from ptp_core.noise import NoiseTape
from ptp_core.trace import Branch, DecodeStep, Draft, Emitted, Trace, stats_of

from .races import BASELINE, LANES, PARALLEL, Race

CHUNK_CHARACTERS = 40_000  # about what one update carries
_BEHIND_EDGE = 2e-6


def steps_view(steps: Sequence[DecodeStep]) -> list[dict[str, Any]]:
    """One small dictionary per call."""
    return [
        {
            "k": step.kind,
            "s": round(step.seconds, 5),
            "n": step.num_positions,
            "a": step.num_accepted,
            "x": step.extra_kind,
            "d": [_draft(d) for d in step.drafts],
            "b": [_branch(b) for b in step.branches],
            "e": [emitted_view(e) for e in step.emitted],
        }
        for step in steps
    ]


def chunk_view(steps: Sequence[DecodeStep], start: int) -> dict[str, Any]:
    """Calls from `start` on, as many as one update should carry, and how many there are."""
    chunk: list[dict[str, Any]] = []
    size = 0
    for step in steps[start:]:
        view = steps_view([step])[0]
        size += 60 + 18 * sum(len(b["d"]) + 2 for b in view["b"]) + 24 * sum(len(e["c"]) + 6 for e in view["e"])
        if chunk and size > CHUNK_CHARACTERS:
            break
        chunk.append(view)
    return {"start": start, "steps": chunk, "total": len(steps)}


def meta_view(race: Race) -> dict[str, Any]:
    """What was run, on what, with which noise."""
    traces = [race.lanes[lane] for lane in LANES if lane in race.lanes]
    trace = traces[-1]
    notes = dict.fromkeys(note for t in traces for note in t.notes)
    return {
        "prompt": trace.prompt,
        "seed": trace.noise.seed,
        "edits": edits_view(trace.noise),
        "sampling": trace.sampling.to_json(),
        "model": trace.model,
        "adapter": trace.adapter,
        "device": trace.device,
        "dtype": trace.dtype,
        "methods": {lane: race.lanes[lane].method for lane in LANES if lane in race.lanes},
        "origin": race.origin,
        "notes": list(notes),
    }


def edits_view(noise: NoiseTape) -> dict[str, float]:
    """What was changed of a tape: u by "position", clocks by "position.token"."""
    clocks = {f"{position}.{token}": value for (position, token), value in noise.clock_edits.items()}
    return {**{str(position): u for position, u in noise.edits.items()}, **clocks}


def summary_view(race: Race) -> dict[str, Any]:
    """The headline figures: measured, or derived from what was measured."""
    lanes = {lane: _lane_summary(race.lanes[lane]) for lane in LANES if lane in race.lanes}
    place, fair = race.first_divergence, race.comparison
    # without drafts both lanes did the same work, and a ratio would only show the machine's noise
    drafted = any(step.drafts for step in race.steps(PARALLEL))
    return {
        "lanes": lanes,
        "drafted": drafted,
        "fair": fair and {"tokens": fair.tokens, "calls": fair.calls, "ms": fair.ms, "why": fair.why},
        "speedup": fair.speedup if fair and drafted else None,
        "divergence": place,
        "margin": _margin_at(race.lanes[BASELINE], place) if place is not None else None,
        "gap": _gap_at(race, place) if place is not None else None,
    }


def _lane_summary(trace: Trace) -> dict[str, Any]:
    stats = stats_of(trace.steps)
    return {
        "tokens": stats.num_tokens,
        "calls": stats.num_calls,
        "tokens_per_call": stats.tokens_per_call,
        "mean_accepted_length": stats.mean_accepted_length,
        "acceptance_rate": stats.acceptance_rate,
        "seconds": stats.seconds,
    }


def _margin_at(trace: Trace, place: int) -> float | None:
    emitted = trace.emitted
    return emitted[place].margin if place < len(emitted) else None


def _gap_at(race: Race, place: int) -> float | None:
    """How far apart the target holds the two tokens at which the texts part."""
    emitted = [race.lanes[lane].emitted for lane in LANES]
    return abs(emitted[0][place].prob - emitted[1][place].prob) if place < min(map(len, emitted)) else None


def _draft(draft: Draft) -> list[Any]:
    return [draft.text, draft.status, round(draft.prob, 3)]


def _branch(branch: Branch) -> dict[str, Any]:
    return {
        "m": branch.num_assumed,
        "p": round(branch.probability, 4),
        "kept": branch.kept,
        "d": [_draft(d) for d in branch.drafts],
    }


def _flip(token: Emitted) -> float | None:
    """The nearest u that picks another token, a little behind the edge.

    A text that is decoded anew may round the edge another way, and links carry U_DIGITS digits.
    """
    flip = nearest_flip(token)
    if flip is None:
        return None
    behind = flip + math.copysign(_BEHIND_EDGE, flip - token.u)
    return round(min(max(behind, 0), 1 - 10**-U_DIGITS), U_DIGITS)


def _candidates(token: Emitted) -> list[list[Any]]:
    """[text, probability, left edge, whether it is the text's token]; in a race also its clock and its id.

    In a race the edges only lay the odds side by side: no u falls on them.
    """
    rows: list[list[Any]] = []
    before = 0.0
    for c in token.candidates:
        left, more = (c.left, []) if c.clock is None else (before, [round(c.clock, 7), c.token])
        rows.append([c.text, round(c.prob, 5), round(left, 6), c.token == token.token, *more])
        before += c.prob
    return rows


def emitted_view(token: Emitted) -> dict[str, Any]:
    nearest = nearest_clock(token)
    own = next((c.text for c in token.candidates if c.token == token.token), "")
    return {
        "p": token.position,
        "t": token.text,
        "l": own if token.text != own else "",
        "src": token.source,
        "u": round(token.u, 6),
        "pr": round(token.prob, 5),
        "lo": round(token.left, 6),
        "hi": round(token.right, 6),
        "f": _flip(token),
        **({} if nearest is None else {"fc": [nearest[0], round(nearest[1], 7)]}),
        "m": None if token.margin is None else round(token.margin, 6),
        "c": _candidates(token),
        "ex": [[c.text, round(c.prob, 5)] for c in token.excluded],
        "om": round(token.omitted_mass, 5),
        "xm": round(token.excluded_mass, 5),
    }
