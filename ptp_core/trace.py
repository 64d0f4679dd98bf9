"""What a run did: steps, trace, statistics, and their JSON. Pictures read nothing else.

The JSON keys are the field names. `Trace.from_json` accepts only whole traces of a known version.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .json_text import parse_json
from .noise import NoiseTape
from .refusals import quoted
from .sampling import SamplingConfig
from .verify import ExtraKind

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1
MAX_FILE_BYTES = 64 << 20
StepKind = Literal["prefill", "draft", "verify", "verify_and_draft", "decode"]
DraftStatus = Literal["accepted", "rejected", "discarded", "settled", "pending", "unused"]
Source = Literal["accepted", "recovered", "bonus"]


@dataclass(frozen=True)
class Draft:
    """A drafted token, its noise, and what became of it.

    u: the position's u, or the token's own clock. prob: the confidence in it. margin: u's distance to the edge of the
    drafted bin. In a race it is how clear the win was: 1 - first arrival / second. It is 1 where no noise decided.
    status, one of:

    accepted     it is the text's token
    rejected     it is the first wrong one
    discarded    it stood behind the first wrong one
    settled      a placeholder for the token that verification decides
    pending      it is kept for the next call
    unused       its branch did not come true
    """

    token: int
    text: str
    u: float
    prob: float
    margin: float
    status: DraftStatus


@dataclass(frozen=True)
class Branch:
    """Slots that assume that num_assumed drafts are right. probability is the estimate before verification.

    There may be fewer drafts than num_slots: not every slot is read. num_slots is null in older traces.
    """

    num_assumed: int
    probability: float
    drafts: list[Draft]
    kept: bool
    num_slots: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A token of the final distribution and its bin [left, right) of u.

    In a race of clocks, clock is the token's own number. It would win with a number in [left, right), all other
    clocks as they are. clock is null where one u serves all.
    """

    token: int
    text: str
    prob: float
    left: float
    right: float
    clock: float | None = None


@dataclass(frozen=True)
class Excluded:
    """A token that top-k or top-p removed, with its probability at this temperature."""

    token: int
    text: str
    prob: float


@dataclass(frozen=True)
class Emitted:
    """A verified token of the text.

    position: the number of generated tokens before it. u: the noise that decided, in a race the winner's own clock.
    The token stays while u lies in [left, right). margin: the smallest change of u that gives another token, in a race
    of any one clock; null where there is no other token. omitted_mass: the final probability of tokens that candidates
    does not list. excluded_mass: what the filters removed before renormalising. entropy: of the final distribution, in
    nats; null in older traces. likeliest: whether no token was likelier; null in older traces.
    """

    position: int
    token: int
    text: str
    source: Source
    u: float
    prob: float
    left: float
    right: float
    margin: float | None
    candidates: list[Candidate]
    excluded: list[Excluded]
    omitted_mass: float
    excluded_mass: float
    entropy: float | None = None
    likeliest: bool | None = None


@dataclass(frozen=True)
class DecodeStep:
    """One model call: what it verified, what it emitted, what it drafted, what it cost.

    target_tokens are the target's picks after 0, 1, ... right drafts. extra_token is null only where the text ended
    within the accepted drafts.
    """

    index: int
    kind: StepKind
    drafts: list[Draft]
    target_tokens: list[int]
    num_accepted: int
    extra_token: int | None
    extra_kind: ExtraKind | None
    emitted: list[Emitted]
    branches: list[Branch]
    num_positions: int
    seconds: float


@dataclass(frozen=True)
class TraceStats:
    """Counts of verified tokens and of all calls, prefill and draft-only calls included.

    mean_accepted_length is the mean of num_accepted + 1 over verifying calls. acceptance_rate is accepted / drafted
    over the verified drafts. Both are null where nothing was verified.
    """

    num_tokens: int
    num_calls: int
    tokens_per_call: float
    mean_accepted_length: float | None
    acceptance_rate: float | None
    seconds: float
    tokens_per_second: float


def stats_of(steps: Sequence[DecodeStep]) -> TraceStats:
    tokens = sum(len(step.emitted) for step in steps)
    seconds = sum(step.seconds for step in steps)
    verifying = [step for step in steps if step.drafts]
    drafted = sum(len(step.drafts) for step in verifying)
    accepted = sum(step.num_accepted for step in verifying)
    return TraceStats(
        num_tokens=tokens,
        num_calls=len(steps),
        tokens_per_call=tokens / len(steps) if steps else 0.0,
        mean_accepted_length=1 + accepted / len(verifying) if verifying else None,
        acceptance_rate=accepted / drafted if drafted else None,
        seconds=seconds,
        tokens_per_second=tokens / seconds if seconds > 0 else 0.0,
    )


@dataclass(frozen=True)
class Trace:
    """A whole run.

    `notes` says what a reader must know, for example that an adapter was made for something else. `chained` is False
    where an adapter's chain head was left aside; older traces do not say. `draft_rule` is how slots without u drafted:
    "argmax" or "pick". Traces without it come from a time when they all picked.
    """

    schema_version: int
    model: str
    adapter: str | None
    device: str
    dtype: str
    prompt: str
    prompt_tokens: list[int]
    sampling: SamplingConfig
    noise: NoiseTape
    method: str
    steps: list[DecodeStep]
    notes: list[str]
    chained: bool = True
    draft_rule: str = "pick"

    @property
    def emitted(self) -> list[Emitted]:
        return [token for step in self.steps for token in step.emitted]

    @property
    def tokens(self) -> list[int]:
        return [token.token for token in self.emitted]

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.emitted)

    @property
    def stats(self) -> TraceStats:
        return stats_of(self.steps)

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["noise"], data["sampling"] = self.noise.to_json(), self.sampling.to_json()
        return data

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes the trace to a file."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def from_dict(cls, data: Any) -> Trace:
        """The inverse of to_dict. Raises ValueError with one sentence on anything else."""
        if not isinstance(data, dict) or "schema_version" not in data or "steps" not in data:
            raise ValueError("This is not a PTP Lab trace: it has no schema_version and steps.")
        if data["schema_version"] != SCHEMA_VERSION:
            raise ValueError(
                f"This trace has schema version {quoted(data['schema_version'])}; this lab reads {SCHEMA_VERSION}."
            )
        from pydantic import ValidationError

        from .story import check_story

        try:
            noise = NoiseTape.from_json(data["noise"])
            sampling = SamplingConfig(**data["sampling"])
            rest = {**data, "noise": {}, "sampling": {}}
            checked = _schema().validate_python({**rest, "noise": noise, "sampling": sampling})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"This trace is damaged at {place}: {first['msg']}.") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"This trace is incomplete: {error}.") from None
        check_story(checked)
        return checked

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Trace:
        """Reads a trace from a file. Raises ValueError with one sentence if the file is not a whole trace."""
        with Path(path).open("rb") as file:
            return cls.from_dict(parse_json(file.read(MAX_FILE_BYTES + 1), "trace", MAX_FILE_BYTES))


@cache
def _schema() -> TypeAdapter[Trace]:
    """What the types allow. Only reading a trace needs pydantic; decoding does not."""
    from pydantic import TypeAdapter

    return TypeAdapter(Trace)


def first_divergence(a: Sequence[int], b: Sequence[int]) -> int | None:
    """The first position at which two token lists differ; a missing token differs too. None if they are equal."""
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return None if len(a) == len(b) else min(len(a), len(b))
