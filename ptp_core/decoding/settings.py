"""What a run of any method is told besides its sampling: defaults and checks in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ..model.ptp_model import PTPModel
from ..refusals import quoted

DRAFT_RULES = ("argmax", "pick")  # how a u-blind slot drafts: its likeliest token, or Pick(u, its distribution)
MAX_SLOTS = 128  # u-slots of one call, whatever the budget
MAX_DRAFTS = 64


@dataclass(frozen=True)
class DecodeSettings:
    """The settings of a run. A method ignores those that it does not know (methods.py).

    max_new_tokens          length of the text at most
    num_speculative_tokens  drafts per call at most; None is what the drafter was made for
    draft_budget            slots per call, or drafts where those are made behind it; "auto": what pays on this machine
    chained                 False leaves an adapter's chain head aside: the slots' own drafts, as in the paper
    draft_rule              how slots that do not see u draft: "argmax" or "pick"
    details                 whether steps also hold what only pictures need
    calibrated              False leaves drafts' odds as the slots say them, which calibration measures

    ValueError with a sentence for values that make no sense.
    """

    max_new_tokens: int = 64
    num_speculative_tokens: int | None = None
    draft_budget: int | str = "auto"
    chained: bool = True
    draft_rule: str = "argmax"
    details: bool = True
    calibrated: bool = True

    def __post_init__(self) -> None:
        if not _whole(self.max_new_tokens) or self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be 1 or more, got {quoted(self.max_new_tokens)}.")
        drafts, budget = self.num_speculative_tokens, self.draft_budget
        if drafts is not None and not (_whole(drafts) and 0 <= drafts <= MAX_DRAFTS):
            raise ValueError(f"num_speculative_tokens must lie between 0 and {MAX_DRAFTS}, got {quoted(drafts)}.")
        if budget != "auto" and not (_whole(budget) and 0 <= int(budget) <= MAX_SLOTS):
            raise ValueError(
                f'draft_budget is "auto" or a whole number between 0 and {MAX_SLOTS}, got {quoted(budget)}.'
            )
        if self.draft_rule not in DRAFT_RULES:
            raise ValueError(f"draft_rule is one of {', '.join(DRAFT_RULES)}, got {quoted(self.draft_rule)}.")

    def slots(self, longest: int) -> int:
        """The budget as a number; `longest` where it is "auto"."""
        return longest if self.draft_budget == "auto" else int(self.draft_budget)

    @property
    def is_auto(self) -> bool:
        return self.draft_budget == "auto"


class DecodeOptions(TypedDict, total=False):
    """The same settings as keywords."""

    max_new_tokens: int
    num_speculative_tokens: int | None
    draft_budget: int | str
    chained: bool
    draft_rule: str
    details: bool
    calibrated: bool


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def window_of(model: PTPModel, num_speculative_tokens: int | None) -> int:
    """The most drafts per call: as given, or what the adapter's window holds."""
    return model.require_adapter().max_drafts if num_speculative_tokens is None else num_speculative_tokens
