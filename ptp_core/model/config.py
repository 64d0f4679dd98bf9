"""What a saved adapter says about itself: its variant, its parts and their measured figures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from torch import Tensor

from ..refusals import quoted
from ..sampling import ORDERS
from .checked_types import check_types
from .u_embedding import U_EMBEDDINGS

DEFAULT_SHARPNESS = 1.5  # exponent of a draft's odds in a race of clocks, before it is measured
_WIDEST = 1 << 16
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LoraConfig:
    """What PEFT's configuration says of the low-rank deltas.

    rank, alpha     r and alpha: a delta is scaled by alpha / r, or by alpha / sqrt(r) with rslora
    target_modules  the layers that carry a delta: whole names, or their ends
    rank_pattern, alpha_pattern  other numbers for layers whose name, or its end, a regular expression matches
    """

    rank: int = 32
    alpha: float = 32.0
    target_modules: tuple[str, ...] = ALL_LINEAR
    rslora: bool = False
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self)
        if min([self.rank, *self.rank_pattern.values()]) < 1:
            raise ValueError("The rank of a LoRA (r) must be 1 or more.")
        for pattern in (*self.rank_pattern, *self.alpha_pattern):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"The LoRA's pattern {quoted(pattern)} is no regular expression: {error}.") from None

    def carries(self, layer: str) -> bool:
        """Whether the layer of this name carries a delta."""
        return any(layer == name or layer.endswith(f".{name}") for name in self.target_modules)

    def rank_of(self, layer: str) -> int:
        return int(_by_pattern(self.rank_pattern, layer, self.rank))

    def scale_of(self, layer: str) -> float:
        """What the product B A of this layer is multiplied by."""
        rank = self.rank_of(layer)
        return _by_pattern(self.alpha_pattern, layer, self.alpha) / (math.sqrt(rank) if self.rslora else rank)


def _by_pattern(numbers: Mapping[str, float], layer: str, default: float) -> float:
    """The number of the first pattern that matches the layer's name or its end, as PEFT finds it."""
    return next((n for pattern, n in numbers.items() if re.match(rf"(.*\.)?({pattern})$", layer)), default)


@dataclass(frozen=True)
class DraftFigures:
    """What the allocator knows of drafts beforehand: the figures of the same names in AdapterConfig.

    sharpness: the exponent of the drafts' odds in a race of clocks; other drafts have no use for it.
    """

    draft_run: tuple[float, ...] = ()
    draft_run_rejected: tuple[float, ...] = ()
    confidence: tuple[float, float, float] | None = None
    sharpness: float = DEFAULT_SHARPNESS

    def __post_init__(self) -> None:
        check_types(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """What asdict made, read back; unknown fields are left out."""
        return cls(**_known_fields(cls, raw))


@dataclass(frozen=True)
class ShallowConfig:
    """Everything about an adapter's shallow slots besides their weights.

    depth        how many of the target's last layers they run through
    rank         of the deltas
    vocabulary   W, how many tokens they can draft: the most frequent of the training's texts
    window       most slots in a row that they were trained for
    draft_run    P(N >= k) for k = 1, 2, ... in decoding
    confidence   weights of the calibration, as AdapterConfig's
    raced        the last two for drafts that are not told u and run a race of clocks (None: not measured)
    """

    depth: int = 8
    rank: int = 32
    vocabulary: int = 8192
    window: int = 4
    u_embedding: Mapping[str, Any] = field(default_factory=lambda: {"kind": "fourier"})
    draft_run: tuple[float, ...] = ()
    confidence: tuple[float, float, float] | None = None
    raced: DraftFigures | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self)
        if min(self.depth, self.rank, self.vocabulary, self.window) < 1:
            raise ValueError("Depth, rank, vocabulary and window of shallow slots must be 1 or more.")
        if max(self.rank, self.window) > _WIDEST:
            raise ValueError(f"Rank and window of shallow slots end at {_WIDEST}.")
        if self.u_embedding.get("kind") not in U_EMBEDDINGS:
            raise ValueError(
                f"Unknown u embedding {quoted(self.u_embedding.get('kind'))}; known: {', '.join(U_EMBEDDINGS)}."
            )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """What asdict made, read back; unknown fields are left out."""
        values = _known_fields(cls, raw)
        if values.get("raced") is not None:
            values["raced"] = DraftFigures.from_json(values["raced"])
        return cls(**values)

    @property
    def reads_u(self) -> bool:
        return U_EMBEDDINGS[self.u_embedding["kind"]].reads_u

    def figures(self, rule: str) -> DraftFigures:
        """What drafts are worth by this rule: "race", or any other for drafts that are told u."""
        own = DraftFigures(self.draft_run, (), self.confidence)
        return (self.raced or replace(own, confidence=None)) if rule == "race" else own


@dataclass(frozen=True)
class ParallelConfig(ShallowConfig):
    """Everything about an adapter's parallel shallow slots besides their weights. Their window is drafted at once.

    markov   width of the Markov head, which tells a draft the token before it
    """

    u_embedding: Mapping[str, Any] = field(default_factory=lambda: {"kind": "temperature"})
    markov: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.markov <= _WIDEST:
            raise ValueError(f"The width of a Markov head must lie between 1 and {_WIDEST}.")


FIGURES = ("unchained", "picked", "picked_unchained", "raced", "raced_unchained")  # of AdapterConfig, besides its own
VARIANTS = O_PTP, C_PTP, U_BLIND = ("o-ptp", "c-ptp", "independent")


@dataclass(frozen=True)
class AdapterConfig:
    """Everything about an adapter besides its weights.

    variant          o-ptp: the argmax at the slot that carries u_k. c-ptp: a distribution from the slot that carries
                     u_{k-1}. independent: a distribution from a slot without u
    start_slot       not o-ptp: windows begin with a slot that carries a learned vector and predicts the first token,
                     as in the paper. Otherwise the target's own row does that for nothing
    window           most slots in a row that it was trained for
    order            CDF order of the tokens
    anchor           whether a window's first slot also gets the embedding of the last token before it
    chain            width of the chain head, 0 where there is none
    shallow          what its shallow slots are, None where it has none
    parallel         what its parallel shallow slots are, None where it has none
    position_shift   RoPE position of a slot minus the position of the token that it predicts
    draft_run        P(N >= k) for k = 1, 2, ...: how far the drafts behind a settled token stay right
    draft_run_rejected  the same where that token replaced a wrong draft (empty: not measured)
    confidence       weights of the calibration [of logit(prob), of log(margin), constant]
    unchained        the last three for drafts that leave the chain head aside (None: not measured)
    picked           of u-blind adapters: draft_run and the two behind it for drafts by Pick (None: not measured).
                     Their own are for drafts by argmax
    picked_unchained  the same without the chain head
    raced            the same for drafts that are not told u and run a race of clocks, the Gumbel coupling
    raced_unchained  the same without the chain head
    target           name, file, sha256, hidden_size, num_layers, vocab_size of the frozen model
    previous_sha256  the adapter's hash before its weights were stored in another precision; older results quote it
    """

    variant: str = "o-ptp"
    start_slot: bool = False
    window: int = 6
    order: str = "probability"
    anchor: bool = False
    chain: int = 0
    shallow: ShallowConfig | None = None
    parallel: ParallelConfig | None = None
    position_shift: int = -1
    u_embedding: Mapping[str, Any] = field(default_factory=lambda: {"kind": "fourier"})
    lora: LoraConfig = field(default_factory=LoraConfig)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    draft_run: tuple[float, ...] = ()
    draft_run_rejected: tuple[float, ...] = ()
    confidence: tuple[float, float, float] | None = None
    unchained: DraftFigures | None = None
    picked: DraftFigures | None = None
    picked_unchained: DraftFigures | None = None
    raced: DraftFigures | None = None
    raced_unchained: DraftFigures | None = None
    target: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    name: str = "adapter"
    previous_sha256: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        if self.variant not in VARIANTS:
            raise ValueError(f"Unknown adapter variant {quoted(self.variant)}; known: {', '.join(VARIANTS)}.")
        if self.order not in ORDERS:
            raise ValueError(f"Unknown CDF order {quoted(self.order)}; known: {', '.join(ORDERS)}.")
        if self.u_embedding.get("kind") not in U_EMBEDDINGS:
            raise ValueError(
                f"Unknown u embedding {quoted(self.u_embedding.get('kind'))}; known: {', '.join(U_EMBEDDINGS)}."
            )
        if self.start_slot and self.variant == "o-ptp":
            raise ValueError("An o-ptp adapter has no start slot: its first slot carries the first u.")
        if not 0 <= self.chain <= _WIDEST or abs(self.position_shift) > _WIDEST:
            raise ValueError(f"The width of a chain head and the shift of positions end at {_WIDEST}.")
        if not 1 <= self.window <= 1024:
            raise ValueError(f"The adapter's window must lie between 1 and 1024, got {quoted(self.window)}.")

    @classmethod
    def from_json(cls, raw: Mapping[str, Any], lora: LoraConfig) -> Self:
        """What asdict made, read back, with the LoRA configuration that PEFT's file holds.

        Unknown fields are left out. KeyError, TypeError or ValueError if the rest is no configuration.
        """
        figures = dict.fromkeys(FIGURES, DraftFigures)
        nested: dict[str, Any] = {**figures, "shallow": ShallowConfig, "parallel": ParallelConfig}
        values = _known_fields(cls, raw)
        parsed = {key: kind.from_json(values[key]) for key, kind in nested.items() if values.get(key) is not None}
        found = cls(**{**values, **parsed, "lora": lora})
        return found if found.variant != U_BLIND or "picked" in raw else found._measured_by_pick()

    def _measured_by_pick(self) -> Self:
        """An older u-blind adapter, measured by Pick: for argmax its runs are a first guess, its confidence is none."""
        whole, alone = self.figures(), self.unchained
        return replace(
            self, confidence=None, unchained=None if alone is None else replace(alone, confidence=None),
            picked=whole, picked_unchained=alone,
        )  # fmt: skip

    @property
    def reads_u(self) -> bool:
        return U_EMBEDDINGS[self.u_embedding["kind"]].reads_u

    def figures(self, chained: bool = True, draft_rule: str = "argmax") -> DraftFigures:
        """What drafts are worth, with the chain head or without it, by this rule (decoding.slots.SlotRule.kind).

        A rule that was not measured begins with the figures of the adapter's own drafts.
        """
        whole, alone = DraftFigures(self.draft_run, self.draft_run_rejected, self.confidence), self.unchained
        if draft_rule == "pick" and self.picked is not None:
            whole, alone = self.picked, self.picked_unchained
        elif draft_rule == "race":
            guess = replace(whole, confidence=None)
            whole, alone = self.raced or guess, self.raced_unchained or (alone and replace(alone, confidence=None))
        return whole if chained or not self.chain or alone is None else alone

    @property
    def lead(self) -> int:
        """Tokens between the assumed prefix and the first slot's own.

        0: the first slot predicts the very next token (o-ptp, start slots). 1: the target's last row does (layout.py).
        """
        return 0 if self.variant == "o-ptp" or self.start_slot else 1

    @property
    def num_settled(self) -> int:
        """Slots at a branch's start that only stand for the token which verification itself decides."""
        return 1 - self.lead

    @property
    def max_drafts(self) -> int:
        """Drafts of a whole window: its slots, less those that only stand for a settled token."""
        return max(self.window - self.num_settled, 1)


def _known_fields(kind: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of this dataclass that raw has, lists of numbers as tuples of floats."""
    values = {f.name: raw[f.name] for f in fields(kind) if f.name in raw}
    for name in ("draft_run", "draft_run_rejected", "confidence"):
        if values.get(name) is not None:
            values[name] = tuple(float(number) for number in values[name])
    return values


@dataclass(frozen=True)
class Adapter:
    """A loaded adapter: its configuration and the weights of its parts (parts.py).

    lora maps a layer's name to A (r, in) and B (out, r). The others are state dicts, empty where there is no such
    part.
    """

    config: AdapterConfig
    lora: Mapping[str, tuple[Tensor, Tensor]]
    u_embed: Mapping[str, Tensor]
    sha256: str = ""
    chain: Mapping[str, Tensor] = field(default_factory=dict)
    shallow: Mapping[str, Tensor] = field(default_factory=dict)
    parallel: Mapping[str, Tensor] = field(default_factory=dict)
