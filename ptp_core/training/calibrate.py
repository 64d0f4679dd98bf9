"""What an adapter's drafts are worth, measured in decoding: the figures that the allocator plans with.

    python -m ptp_core calibrate ADAPTER --data FOLDER

It decodes prompts with a fixed budget. It counts how far drafts stay right: after drafts that were all right, and after
a rejection, when the text took an unlikely turn. It also fits how confidence relates to truth. No time counts in it, so
elsewhere than on the CPU it decodes many texts at once (decoding/known_texts.py), with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..decoding.decode import generate
from ..decoding.drafters.branches import calibrated
from ..decoding.settings import DecodeSettings
from ..methods import AHEAD_METHOD, BLIND_METHOD, PAPER_METHOD, TABLE
from ..model.config import DEFAULT_SHARPNESS, U_BLIND, AdapterConfig, DraftFigures
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from ..statistics import expected_calibration_error, survival
from ..trace import DecodeStep, Draft
from .batch_sampling import Request, decode_at_once, write_texts

_RIDGE = 1e-3
# what is measured of slots, by its name in with_calibration: in words, with the chain head or not, by which rule
SLOT_FIGURES = {
    "slots": ("slots", True, "argmax"),
    "unchained": ("slots without the chain head", False, "argmax"),
    "picked": ("slots by Pick", True, "pick"),
    "picked_unchained": ("slots by Pick without the chain head", False, "pick"),
    "raced": ("slots in a race of clocks", True, "race"),
    "raced_unchained": ("slots in a race of clocks without the chain head", False, "race"),
}
SHARPNESS = (1.0, 1.4, 1.8, 2.4)  # exponents of a draft's odds that a race may take; the one that goes furthest counts


@dataclass(frozen=True)
class Calibration:
    """draft_run[k-1] = P(N >= k) behind drafts that were all right, draft_run_rejected behind a rejection;
    confidence = logistic weights (branches.calibrated); error = expected calibration error with them.
    sharpness = the exponent of the drafts' odds, of use in a race only."""

    draft_run: tuple[float, ...]
    draft_run_rejected: tuple[float, ...]
    confidence: tuple[float, float, float]
    error: float
    drafts: int
    sharpness: float = DEFAULT_SHARPNESS

    @property
    def figures(self) -> DraftFigures:
        return DraftFigures(self.draft_run, self.draft_run_rejected, self.confidence, self.sharpness)


def calibrate(
    model: PTPModel,
    prompts: Sequence[Sequence[int]],
    samplings: Sequence[SamplingConfig],
    *,
    max_new_tokens: int = 48,
    draft_budget: int = 24,
    chained: bool = True,
    draft_rule: str = "argmax",
    seed: int = 0,
    at_once: bool | None = None,
) -> Calibration:
    """Decodes every prompt with its sampling, and with drafts' odds as slots say them.

    chained=False leaves the chain head aside. draft_rule is how the drafts of a u-blind adapter are made. With "race"
    the drafts of any adapter run a race of clocks, at each exponent of SHARPNESS. The best one counts. at_once: many
    prompts together; None: where the model is not on the CPU.
    """
    config, raced = model.require_adapter(), draft_rule == "race"
    method = BLIND_METHOD if config.variant == U_BLIND else PAPER_METHOD
    rule = "pick" if raced else draft_rule
    settings = DecodeSettings(max_new_tokens, None, draft_budget, chained, rule, details=False, calibrated=False)
    together = model.device.type != "cpu" if at_once is None else at_once
    if not raced:
        runs = _decode(model, prompts, samplings, method, seed, settings, together)
        return summarise_runs(runs, longest=config.window)

    def told(figures: DraftFigures) -> None:
        model.adapter = replace(config, raced=figures, raced_unchained=figures)

    try:
        return _sharpest(model, prompts, samplings, method, seed, settings, config.window, told, together)
    finally:
        model.adapter = config


def calibrate_shallow(
    model: PTPModel,
    prompts: Sequence[Sequence[int]],
    samplings: Sequence[SamplingConfig],
    *,
    max_new_tokens: int = 48,
    raced: bool = False,
    seed: int = 0,
    method: str = AHEAD_METHOD,
) -> Calibration:
    """The same for the shallow slots that this method needs. They always draft a whole window meanwhile.

    One text at a time.
    """
    slots = model.require_part(TABLE[method].needs)
    window = slots.config.window
    settings = DecodeSettings(max_new_tokens, None, window, details=False, calibrated=False)
    if not raced:
        return summarise_runs(_decode(model, prompts, samplings, method, seed, settings), longest=window)
    config = slots.config

    def told(figures: DraftFigures) -> None:
        slots.config = replace(config, raced=figures)

    try:
        return _sharpest(model, prompts, samplings, method, seed, settings, window, told)
    finally:
        slots.config = config


def _sharpest(
    model: PTPModel, prompts: Sequence[Sequence[int]], samplings: Sequence[SamplingConfig], method: str, seed: int,
    settings: DecodeSettings, longest: int, told: Callable[[DraftFigures], None], together: bool = False,
) -> Calibration:  # fmt: skip
    """Races at each exponent; that with the most right drafts a call. `told` sets the exponent."""
    racing = [replace(sampling, coupling="gumbel") for sampling in samplings]
    found = []
    for sharpness in SHARPNESS:
        told(DraftFigures(sharpness=sharpness))
        runs = _decode(model, prompts, racing, method, seed, settings, together)
        found.append(replace(summarise_runs(runs, longest), sharpness=sharpness))
    return max(found, key=lambda each: sum(each.draft_run))


def _decode(
    model: PTPModel,
    prompts: Sequence[Sequence[int]],
    samplings: Sequence[SamplingConfig],
    method: str,
    seed: int,
    settings: DecodeSettings,
    together: bool = False,
) -> list[list[DecodeStep]]:
    """The steps of every prompt."""
    asked = enumerate(zip(prompts, samplings, strict=True))
    if together:
        requests = [Request(list(p), s, settings.max_new_tokens, seed + i) for i, (p, s) in asked]
        return decode_at_once(model, write_texts(model, requests), method, settings)
    return [
        generate(model, p, method, NoiseTape(seed + i), s, settings=settings, prompt="").steps for i, (p, s) in asked
    ]


def summarise_runs(runs: Iterable[Sequence[DecodeStep]], longest: int) -> Calibration:
    """The figures from the steps of many runs."""
    clean: list[list[bool]] = []
    rejected: list[list[bool]] = []
    reached: list[tuple[Draft, bool]] = []  # drafts behind right ones, and whether they were right
    for steps in runs:
        for before, step in pairwise(steps):
            if not step.drafts:
                continue
            outcome = [d.status == "accepted" for d in step.drafts[: step.num_accepted + 1]]
            (clean if before.num_accepted == len(before.drafts) else rejected).append(outcome)
            reached += zip(step.drafts, outcome, strict=False)
    weights = fit_confidence([d.prob for d, _ in reached], [d.margin for d, _ in reached], [r for _, r in reached])
    found = [calibrated(d.prob, d.margin, weights) for d, _ in reached]
    error = expected_calibration_error(found, [r for _, r in reached])
    return Calibration(survival(clean, longest), survival(rejected, longest), weights, error, len(reached))


def fit_confidence(
    probs: Sequence[float], margins: Sequence[float], right: Sequence[bool], steps: int = 30
) -> tuple[float, float, float]:
    """Logistic regression of being right on (logit(prob), log(margin), 1), by Newton's method with a small ridge."""
    if len(set(right)) < 2:
        return (1.0, 0.0, 0.0)
    p = np.clip(np.asarray(probs, dtype=float), 1e-6, 1 - 1e-6)
    features = np.stack([np.log(p / (1 - p)), np.log(np.maximum(margins, 1e-6)), np.ones(len(p))], axis=1)
    labels, w = np.asarray(right, dtype=float), np.zeros(3)
    for _ in range(steps):
        q = 1 / (1 + np.exp(-features @ w))
        hessian = features.T @ (features * (q * (1 - q))[:, None]) + _RIDGE * np.eye(3) * len(p)
        w = w + np.linalg.solve(hessian, features.T @ (labels - q) - _RIDGE * len(p) * w)
    return (float(w[0]), float(w[1]), float(w[2]))


def with_calibration(
    config: AdapterConfig,
    slots: Calibration | None = None,
    unchained: Calibration | None = None,
    picked: Calibration | None = None,
    picked_unchained: Calibration | None = None,
    raced: Calibration | None = None,
    raced_unchained: Calibration | None = None,
    ahead: Mapping[str, tuple[Calibration, Calibration]] | None = None,
) -> AdapterConfig:
    """The configuration with these figures to plan with.

    slots             its drafts; without them, all figures stay but those of `ahead`
    unchained         those without its chain head
    picked            a u-blind adapter's drafts by Pick
    raced             drafts in a race of clocks
    ahead             by the part that holds them, those of its shallow slots, and those in a race of clocks
    """
    for part, (told, racing) in (ahead or {}).items():
        own = replace(
            getattr(config, part), draft_run=told.draft_run, confidence=told.confidence, raced=_figures(racing)
        )
        config = replace(config, **{part: own})
    if slots is None:
        return config
    deep = slots.figures
    return replace(
        config, draft_run=deep.draft_run, draft_run_rejected=deep.draft_run_rejected, confidence=deep.confidence,
        unchained=_figures(unchained), picked=_figures(picked), picked_unchained=_figures(picked_unchained),
        raced=_figures(raced), raced_unchained=_figures(raced_unchained),
    )  # fmt: skip


def _figures(found: Calibration | None) -> DraftFigures | None:
    return None if found is None else found.figures
