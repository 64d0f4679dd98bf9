"""What a benchmark keeps of every answer: counts, times and, call by call, what became of each draft.

A row holds enough to draw every picture of acceptance without a model. Nothing here is timed: rows
are made after the clock has stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..decoding.drafters.branches import expected_gain
from ..methods import TABLE
from ..model.ptp_model import PTPModel
from ..sampling import SamplingConfig, warp
from ..trace import Branch, DecodeStep, Emitted, Trace, first_divergence

TOKEN_CLASSES = {
    "s": "word start",
    "c": "continuation",
    "d": "digit",
    "p": "punctuation",
    "w": "whitespace",
    "o": "other",
}


@dataclass(frozen=True)
class CallBranch:
    """Slots that a call prepared for "num_assumed right drafts", the estimate that it would come true, and
    whether it did."""

    num_assumed: int
    probability: float
    num_slots: int
    kept: bool


@dataclass(frozen=True)
class Call:
    """One model call.

    start        generated tokens before it; its first draft stands for position `start` of the text
    positions    rows it carried
    ms           milliseconds, planning included
    emitted      tokens of the text it brought
    accepted     right drafts in a row; the next one, if any, was rejected and the rest discarded
    confidences  one per draft that it verified
    right        one character per draft: 1 it is the text's token at its place, 0 it is not, - the text
                 had ended. A discarded draft may be right all the same
    branches     what it prepared for the next call
    expected     right drafts that those slots were expected to bring, by the adapter's own figures
    wrong        text of the first wrong draft, and `instead` the text's own token in its place; "" where all drafts
                 were right, and in older rows
    at           characters of the answer before that place
    """

    start: int
    positions: int
    ms: float
    emitted: int
    accepted: int = 0
    confidences: list[float] = field(default_factory=list)
    right: str = ""
    branches: list[CallBranch] = field(default_factory=list)
    expected: float = 0.0
    wrong: str = ""
    instead: str = ""
    at: int = 0


@dataclass(frozen=True)
class Row:
    """One question by one method at one point of a sweep ("" where nothing is swept).

    entropy     of the target's distribution at each token of the text, in nats
    margin      how far u lies from another token there
    classes     the class of each token, a letter of TOKEN_CLASSES
    likeliest   "1" for each token that was the target's likeliest, else "0"; "" in older rows
    divergence  the first position at which the text differs from ar's
    divergence_margin  u's margin there
    divergence_gap     how far apart the target holds the two tokens there. Where that is nothing but rounding, the two
                changed places in the CDF's order, wherever u lies
    identical_to_ar    null where the method does not promise it
    draft_rule  how slots without u drafted, "" for other methods
    seconds     0 where only counts were taken, beside other work: such a row has no speed
    tries       seconds of every try, of which `seconds` is the median; [] in older rows
    peak_memory_mb     the most that the process held while this answer was made, weights included
    own_shape_ms       of ar by an engine: milliseconds a token of the same answer in calls of one row, ar's own best
                shape. Its other figures are of the shape that all methods share

    Outside methods have no entropy, margin, classes and likeliest.
    """

    question_id: str
    category: str
    method: str
    num_tokens: int
    num_calls: int
    seconds: float
    identical_to_ar: bool | None
    divergence: int | None = None
    divergence_margin: float | None = None
    divergence_gap: float | None = None
    point: str = ""
    seed: int = 0
    text: str = ""
    tokens: list[int] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    margin: list[float | None] = field(default_factory=list)
    classes: str = ""
    calls: list[Call] = field(default_factory=list)
    peak_memory_mb: int | None = None
    draft_rule: str = ""
    likeliest: str = ""
    tries: list[float] = field(default_factory=list)
    own_shape_ms: float | None = None

    @property
    def verified(self) -> list[tuple[int, int]]:
        """(drafted, accepted) of every call that verified drafts."""
        return [(len(c.confidences), c.accepted) for c in self.calls if c.confidences]

    def to_dict(self) -> dict[str, Any]:
        """As JSON: calls without the fields that say nothing."""
        data = asdict(self)
        always = ("start", "positions", "ms", "emitted")
        if self.own_shape_ms is None:
            del data["own_shape_ms"]
        data["calls"] = [
            {k: v for k, v in call.items() if k in always or v not in ("", [], 0, 0.0)} for call in data["calls"]
        ]
        return data


def probability_gap(
    model: PTPModel, ids: Sequence[int], tokens: Sequence[int], others: Sequence[int], sampling: SamplingConfig
) -> float | None:
    """|P(a) - P(b)| under the target, a and b the tokens at which two texts behind ids part; None if one just ends."""
    place = first_divergence(tokens, others)
    if place is None or place >= min(len(tokens), len(others)):
        return None
    probs = warp(model.target_logits([*ids, *tokens[:place]])[-1], sampling)
    return float((probs[tokens[place]] - probs[others[place]]).abs())


@dataclass(frozen=True)
class Gains:
    """What an adapter's slots are expected to bring: gain[b] of b slots behind right drafts and behind a wrong one."""

    clean: list[float]
    rejected: list[float]

    @classmethod
    def of(cls, run: Sequence[float], run_rejected: Sequence[float], num_settled: int, longest: int) -> Gains:
        return cls(expected_gain(run, num_settled, longest), expected_gain(run_rejected or run, num_settled, longest))

    def expected(self, branches: Sequence[CallBranch], num_drafts: int) -> float:
        """Right drafts that these branches should bring, averaged over the outcomes of verifying num_drafts."""
        total = 0.0
        for b in branches:
            gain = self.clean if b.num_assumed == num_drafts else self.rejected
            total += b.probability * gain[min(b.num_slots, len(gain) - 1)]
        return total


def make_row(
    question_id: str,
    category: str,
    trace: Trace,
    reference: Sequence[int],
    label: Callable[[int], str],
    gains: Gains | None = None,
    point: str = "",
    margins: Sequence[float | None] = (),
) -> Row:
    """The row of a finished trace. reference = ar's tokens from the same noise, margins = u's margins there;
    label gives a token's text."""
    tokens, stats = trace.tokens, trace.stats
    place = first_divergence(reference, tokens)
    at_place = margins[place] if place is not None and place < len(margins) else None
    return Row(
        question_id=question_id,
        category=category,
        method=trace.method,
        num_tokens=stats.num_tokens,
        num_calls=stats.num_calls,
        seconds=round(stats.seconds, 6),
        identical_to_ar=place is None,
        divergence=place,
        divergence_margin=at_place,
        point=point,
        seed=trace.noise.seed,
        text=trace.text,
        tokens=tokens,
        entropy=[round(e.entropy or 0.0, 3) for e in trace.emitted],
        margin=[_margin(e) for e in trace.emitted],
        likeliest="".join(str(int(bool(e.likeliest))) for e in trace.emitted),
        classes=token_classes([label(t) for t in tokens]),
        calls=calls_of(trace.steps, gains),
        draft_rule=trace.draft_rule if "draft_rule" in TABLE[trace.method].options else "",
    )


def _margin(token: Emitted) -> float | None:
    return None if token.margin is None else float(f"{token.margin:.3g}")


def calls_of(steps: Sequence[DecodeStep], gains: Gains | None = None) -> list[Call]:
    """The calls of a run; gains, where given, say what its branches were expected to bring."""
    text = [token.token for step in steps for token in step.emitted]
    calls, start, written = [], 0, 0
    for step in steps:
        failed = step.num_accepted < len(step.drafts) and step.extra_token is not None
        at = written + sum(len(token.text) for token in step.emitted[: step.num_accepted])
        branches = [CallBranch(b.num_assumed, round(b.probability, 4), _slots_of(b), b.kept) for b in step.branches]
        calls.append(
            Call(
                start=start,
                positions=step.num_positions,
                ms=round(1e3 * step.seconds, 3),
                emitted=len(step.emitted),
                accepted=step.num_accepted,
                confidences=[round(d.prob, 4) for d in step.drafts],
                right="".join(_is_right(d.token, text, start + i) for i, d in enumerate(step.drafts)),
                branches=branches,
                expected=round(gains.expected(branches, len(step.drafts)), 4) if gains else 0.0,
                wrong=step.drafts[step.num_accepted].text if failed else "",
                instead=step.emitted[-1].text if failed else "",
                at=at if failed else 0,
            )
        )
        start += len(step.emitted)
        written += sum(len(token.text) for token in step.emitted)
    return calls


def _slots_of(branch: Branch) -> int:
    return len(branch.drafts) if branch.num_slots is None else branch.num_slots


def _is_right(token: int, text: Sequence[int], place: int) -> str:
    return "-" if place >= len(text) else str(int(token == text[place]))


def token_classes(texts: Sequence[str]) -> str:
    """A letter of TOKEN_CLASSES for each token of a text, given the tokens' own texts."""
    before, letters = " ", []
    for text in texts:
        letters.append(_class_of(text, before))
        before = text
    return "".join(letters)


def _class_of(text: str, before: str) -> str:
    body = text.strip()
    if text.startswith("⟨") or not text:  # a special token or part of a character, see PTPModel.label
        return "o"
    if not body:
        return "w"
    if body[0].isdigit():
        return "d"
    if not body[0].isalpha():
        return "p"
    return "s" if text[0].isspace() or not before[-1:].isalpha() else "c"


def baseline_point(point_name: str) -> str:
    """The point at which the baselines of this point's rows stand: temperature changes them too."""
    return point_name if point_name.startswith("temperature=") else ""
