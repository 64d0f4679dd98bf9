"""What a benchmark runs: methods, sampling, budget, and the points of its sweeps."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from ..decoding.settings import DecodeSettings
from ..methods import BASELINE, PAPER_METHOD, SWEPT_FIELDS, TABLE
from ..refusals import quoted
from ..sampling import SamplingConfig

MAX_REPEATS = 99


@dataclass(frozen=True)
class Point:
    """One value of a swept field."""

    field: str
    value: float | int | str

    @property
    def name(self) -> str:
        return f"{self.field}={self.value}"


@dataclass(frozen=True)
class BenchConfig:
    """What is run on every question; the noise of question i is NoiseTape(seed + i)."""

    methods: tuple[str, ...] = (BASELINE, PAPER_METHOD)
    max_new_tokens: int = 64
    seed: int = 0
    temperature: float = 0.7
    top_k: int = 50
    top_p: float = 0.95
    num_speculative_tokens: int | None = None
    draft_budget: int | str = "auto"
    chained: int = 1  # 0: the chain head is left aside
    draft_rule: str = "argmax"  # of slots without u; or "pick"
    coupling: str = "inverse_cdf"  # the map from noise to tokens; or "gumbel"
    sweep: tuple[Point, ...] = ()
    repeats: int = 1  # tries of each answer; the one of median time counts (of two in the middle the quicker)
    threads: int = field(default_factory=torch.get_num_threads)

    def __post_init__(self) -> None:
        unknown = set(self.methods) - set(TABLE)
        if unknown or not self.methods:
            known = ", ".join(TABLE)
            raise ValueError(f"Unknown methods: {', '.join(sorted(unknown)) or '(none given)'}; known: {known}.")
        if len(set(self.methods)) < len(self.methods) or len({p.name for p in self.sweep}) < len(self.sweep):
            raise ValueError("A method or a point of a sweep is named twice.")
        if not 1 <= self.repeats <= MAX_REPEATS:
            raise ValueError(f"repeats must lie between 1 and {MAX_REPEATS}, got {self.repeats}.")
        self.sampling()
        if self.chained not in (0, 1):
            raise ValueError(f"chained is 0 or 1, got {quoted(self.chained)}.")
        self.decoding()
        for point in self.sweep:
            self.at(point)

    def at(self, point: Point | None) -> BenchConfig:
        """This configuration at one point of its sweep."""
        change: dict[str, Any] = {} if point is None else {point.field: point.value, "sweep": ()}
        return replace(self, **change)

    def decoding(self, max_new_tokens: int | None = None) -> DecodeSettings:
        """What the decoders are told; max_new_tokens is the configuration's own where none is given."""
        most = self.max_new_tokens if max_new_tokens is None else max_new_tokens
        return DecodeSettings(
            most, self.num_speculative_tokens, self.draft_budget, bool(self.chained), self.draft_rule, details=False
        )  # fmt: skip

    def sampling(self, order: str = "probability") -> SamplingConfig:
        return SamplingConfig(self.temperature, self.top_k, self.top_p, order, coupling=self.coupling)

    def jobs(self) -> list[Job]:
        """What is run on each question, in this order; the baseline of a point always comes before it.

        A swept field matters to some methods. The others run once, and count for all its points.
        """
        if not self.sweep:
            return [Job(None, m) for m in self.methods]
        swept = {p.field for p in self.sweep}
        once = [m for m in self.methods if any(f not in TABLE[m].swept for f in swept)]
        return [Job(None, m) for m in once] + [
            Job(p, m) for p in self.sweep for m in self.methods if p.field in TABLE[m].swept
        ]


@dataclass(frozen=True)
class Job:
    """One method at one point (None: the configuration as it is)."""

    point: Point | None
    method: str

    @property
    def point_name(self) -> str:
        return self.point.name if self.point else ""


def parse_sweep(text: str) -> tuple[Point, ...]:
    """The points of FIELD=VALUE,VALUE,...; ValueError for another field or other values."""
    name, _, values = text.partition("=")
    if name not in SWEPT_FIELDS or not values:
        raise ValueError(
            f"A sweep reads FIELD=VALUE,VALUE,... with FIELD one of {', '.join(SWEPT_FIELDS)}; got {quoted(text)}."
        )
    return tuple(Point(name, _value(name, part.strip())) for part in values.split(","))


def _value(name: str, text: str) -> float | int | str:
    if (name == "draft_budget" and text == "auto") or name in ("draft_rule", "coupling"):
        return text
    try:
        return float(text) if name == "temperature" else int(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is no value of {name}.") from None


def config_from_dict(data: dict[str, Any]) -> BenchConfig:
    """The inverse of dataclasses.asdict on a BenchConfig. Results without a draft rule are older than argmax."""
    known = {f.name for f in fields(BenchConfig)}
    points = tuple(Point(**p) for p in data.get("sweep", ()))
    kept = {k: v for k, v in data.items() if k in known}
    return BenchConfig(**{"draft_rule": "pick", **kept, "methods": tuple(data["methods"]), "sweep": points})
