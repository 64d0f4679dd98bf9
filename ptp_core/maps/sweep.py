"""Sweeps: what the text and the draft become as one number runs over [0, 1) and all others stay.

The number is the u of a position or, in a race of clocks, the clock of one token there. The target's answer is exact:
one continuation per token that the swept position can have. The draft is asked at points, more densely where its
answer changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..coupling import NoiseAt
from ..model.ptp_model import PTPModel
from ..trace import Trace
from .blind import Blind, blind_place
from .contexts import Contexts
from .position import Place
from .scan import Scan, Steps, finish, scanned, second_half

MAX_LANES = 64
MAX_LENGTH = 33  # positions of a sweep


@dataclass(frozen=True)
class Stretch:
    """An interval [left, right) of u in which the tokens stay the same."""

    left: float
    right: float
    tokens: list[int]


@dataclass(frozen=True)
class Sweep:
    """Tokens first..last as the number of `first`, now u, runs over [0, 1). A text that ends is shorter.

    moved: the token whose clock it is; null where one u serves all tokens.

    target: exact, except for `omitted`, the probability of tokens beyond the MAX_LANES followed.
    draft: its own window (null without an adapter). draft_error: the summed width of the gaps in which its changes
    lie. A draft may change and change back between two points of the first grid. So fresh points are asked
    afterwards: probes are their number, and at how many of them the map is wrong.
    blind: the draft without u, the same for every u but for a first token that verification settles. blind_by: whose
    slots it is (blind.py). texts: token -> label.
    """

    first: int
    last: int
    u: float
    target: list[Stretch]
    omitted: float
    draft: list[Stretch] | None
    draft_error: float | None
    probes: tuple[int, int] | None
    texts: dict[int, str]
    calls: int
    blind: list[Stretch] | None = None
    blind_by: Blind | None = None
    moved: int | None = None


def sweep_steps(
    model: PTPModel,
    trace: Trace,
    first: int,
    last: int,
    contexts: Contexts | None = None,
    token: int | None = None,
) -> Steps[Sweep]:
    """The sweep, with its progress; see Sweep. In a race it moves the clock of `token`, by default of the text's own.

    Raises ValueError for positions outside the text.
    """
    if not first <= last < first + MAX_LENGTH:
        raise ValueError(f"A sweep covers its own position and at most {MAX_LENGTH - 1} behind it.")
    length = last - first + 1
    contexts = contexts or Contexts()
    place = Place(model, trace, first, contexts, room=MAX_LANES * length)
    yield 0.0
    clock = trace.tokens[first] if token is None else token
    bins = place.answers(trace, clock, MAX_LANES)
    texts = [[token] for token, *_ in bins]
    for level in range(1, length):
        found = place.extend_lanes([text[-1] for text in texts])
        columns = place.coupling.columns(found, NoiseAt(trace.noise, [first + level] * len(bins)))
        for text, token in zip(texts, found.tokens.gather(1, columns[:, None])[:, 0].tolist(), strict=True):
            text.append(token)
        yield level / (2 * length)
    place.close_lanes()
    target = [Stretch(a, b, _until_end(model, text)) for (_, _, a, b), text in zip(bins, texts, strict=True)]
    draft, doubt, probes = None, None, None
    if model.adapter is not None:
        scan = yield from second_half(scan_window(place, trace, min(length, model.adapter.window), clock))
        stretches, doubt = as_stretches(scan)
        probes = (scan.num_probed, scan.num_wrong)
        draft = [Stretch(s.left, s.right, _until_end(model, s.tokens)) for s in stretches]
    blind, by, calls = None, None, place.calls
    if model.adapter is not None:
        beside, by = blind_place(model, trace, first, contexts)
        blind = _without_u(beside, min(length, beside.most_tokens), bins)
        calls = place.calls + beside.calls
    shown = {token for stretch in [*target, *(draft or []), *(blind or [])] for token in stretch.tokens}
    return Sweep(
        first=first,
        last=last,
        u=place.coupling.number(trace.noise, first, clock),
        target=target,
        omitted=max(0.0, 1 - sum(length for _, length, _, _ in bins)),
        draft=draft,
        draft_error=doubt,
        probes=probes,
        texts={token: model.label(token) for token in sorted(shown)},
        calls=calls,
        blind=blind,
        blind_by=by,
        moved=None if place.coupling.one_number else clock,
    )


def sweep(
    model: PTPModel, trace: Trace, j: int, k: int, contexts: Contexts | None = None, token: int | None = None
) -> Sweep:
    """Tokens j..k as the number of j runs over [0, 1): exact for the target, adaptive for the draft."""
    return finish(sweep_steps(model, trace, j, k, contexts, token))


def _without_u(place: Place, length: int, bins: Sequence[tuple[int, float, float, float]]) -> list[Stretch]:
    """The draft of slots that are not told u; `bins` are the target's, for a first token that verification settles."""
    first, *rest = place.likeliest(length)
    drafts = [token for token in rest if token is not None]
    if first is not None:
        return [Stretch(0.0, 1.0, _until_end(place.model, [first, *drafts]))]
    return [Stretch(left, right, _until_end(place.model, [token, *drafts])) for token, _, left, right in bins]


def scan_window(place: Place, trace: Trace, length: int, token: int | None = None) -> Steps[Scan]:
    """The draft window of `length` tokens from the place on, as its first number runs over [0, 1)."""
    at, noise, coupling = place.position, trace.noise, place.coupling
    clock = trace.tokens[at] if token is None else token
    return scanned(
        lambda points: place.windows([coupling.moved(noise, at, clock, point) for point in points], length),
        coupling.number(noise, at, clock),
    )


def as_stretches(scan: Scan) -> tuple[list[Stretch], float]:
    """What was found, and the summed width of the gaps that hold the changes."""
    found, doubt = scan.stretches()
    return [Stretch(left, right, list(tokens)) for left, right, tokens in found], doubt


def _until_end(model: PTPModel, tokens: list[int]) -> list[int]:
    """Up to and including an end of text."""
    end = next((i for i, token in enumerate(tokens) if token in model.eos_tokens), len(tokens))
    return tokens[: end + 1]


# ---- safe interval ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SafeInterval:
    """How far the u of a position may move; in a race, the clock of its token.

    In [left, right) the token does not change, nor does the text. In [draft_left, draft_right) the draft window that
    begins there does not change; its edges are known up to draft_error. They are null without an adapter.
    """

    position: int
    u: float
    left: float
    right: float
    draft_left: float | None
    draft_right: float | None
    draft_error: float | None
    calls: int


def safe_interval(model: PTPModel, trace: Trace, position: int, contexts: Contexts | None = None) -> SafeInterval:
    """How far the u of `position` may move; see SafeInterval."""
    place = Place(model, trace, position, contexts)
    stay = place.coupling.stay(place.found.cpu(), place.column(trace.noise), trace.noise, position)
    u, left, right = stay.number, stay.left, stay.right
    if model.adapter is None:
        return SafeInterval(position, u, left, right, None, None, None, place.calls)
    draft_left, draft_right, error = finish(scan_window(place, trace, model.adapter.window)).around(u)
    return SafeInterval(position, u, left, right, draft_left, draft_right, error, place.calls)
