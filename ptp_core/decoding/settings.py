"""The settings that decoders share, and their checks."""

from __future__ import annotations

from ..model.ptp_model import PTPModel

DRAFT_RULES = ("argmax", "pick")  # how a u-blind slot drafts: its likeliest token, or Pick(u, its distribution)
MAX_SLOTS = 128  # u-slots of one call, whatever the budget


def window_of(model: PTPModel, num_speculative_tokens: int | None) -> int:
    """The most drafts per call: as given, or what the adapter's window holds."""
    if num_speculative_tokens is None:
        return model.require_adapter().max_drafts
    return checked_window(num_speculative_tokens)


def checked_window(value: int) -> int:
    """The most drafts per call; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 64:
        raise ValueError(f"num_speculative_tokens must lie between 0 and 64, got {value!r}.")
    return value


def checked_budget(value: int | str) -> int:
    """The number of slots per call; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SLOTS:
        raise ValueError(f'draft_budget is "auto" or a whole number between 0 and {MAX_SLOTS}, got {value!r}.')
    return value


def checked_rule(value: str) -> str:
    """How u-blind slots draft; ValueError for anything else."""
    if value not in DRAFT_RULES:
        raise ValueError(f"draft_rule is one of {', '.join(DRAFT_RULES)}, got {value!r}.")
    return value
