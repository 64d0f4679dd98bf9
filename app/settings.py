"""What a visitor may set: checked settings of a run, and links that carry them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from ptp_core import SamplingConfig
from ptp_core.methods import AHEAD, TABLE

from .serving.uploads import whole_characters

MAX_NEW_TOKENS = 256
MAX_PROMPT_TOKENS = int(os.environ.get("PTP_LAB_MAX_PROMPT_TOKENS", "2048"))
MAX_PROMPT_CHARACTERS = 200_000
RACE_METHODS = {  # how the parallel lane may draft -> what the page calls it
    "shallow": "shallow slots · PTP",
    "shallow_lookup": "shallow slots + lookup",
    "pqd": "slots in branches · PQD",
    "ptp": "slots, call by call",
    "prompt_lookup": "prompt lookup",
}
_BRANCH_BUDGET = 8  # keeps slots in branches in sight even where "auto" finds them too dear
BUDGETS = ("auto", "0", "4", "6", "8", "12", "16", "24", "32", "48", "64")
# what the page's sliders reach; a call of the API may go further
PAGE_LIMITS = {"temperature": (0, 2), "top_k": (0, 200), "top_p": (0.05, 1), "num_speculative_tokens": (0, 12)}


@dataclass(frozen=True)
class RaceSettings:
    """What one race runs. `parse` makes it from raw input and says in a sentence what is wrong with it."""

    prompt: str
    chat: bool = True
    seed: int = 7
    max_new_tokens: int = 64
    temperature: float = 0.7
    top_k: int = 50
    top_p: float = 0.95
    num_speculative_tokens: int | None = 5  # None: what the adapter was trained for
    draft_budget: int | str = "auto"
    method: str = "shallow"

    @classmethod
    def parse(cls, **raw: Any) -> RaceSettings:
        prompt = raw.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError("Type a prompt first.")
        prompt = whole_characters(prompt)
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"The prompt has {len(prompt):,} characters; this lab takes {MAX_PROMPT_CHARACTERS:,}.")
        drafts, method = raw.get("num_speculative_tokens", 5), raw.get("method") or cls.method
        if method not in RACE_METHODS:
            raise ValueError(f"The parallel lane drafts by one of {', '.join(RACE_METHODS)}, not by {method!r}.")
        settings = cls(
            prompt=prompt,
            chat=bool(raw.get("chat", True)),
            seed=_whole(raw.get("seed", 7), "The seed", 0, 2**53),
            max_new_tokens=_whole(raw.get("max_new_tokens", 64), "The number of tokens", 1, MAX_NEW_TOKENS),
            temperature=number_between(raw.get("temperature", 0.7), "The temperature", 0, 5),
            top_k=_whole(raw.get("top_k", 50), "top-k", 0, 100_000),
            top_p=number_between(raw.get("top_p", 0.95), "top-p", 0.01, 1),
            num_speculative_tokens=None if drafts is None else _whole(drafts, "The number of drafts", 0, 16),
            draft_budget=_budget(raw.get("draft_budget", default_budget(method))),
            method=method,
        )
        settings.sampling()
        return settings

    def sampling(self, order: str = "probability") -> SamplingConfig:
        return SamplingConfig(self.temperature, self.top_k, self.top_p, order)

    def query(self) -> str:
        """The settings as the query of a link; what equals its default is left out."""
        plain = replace(RaceSettings(""), draft_budget=default_budget(self.method))
        values = {k: v for k, v in vars(self).items() if v != getattr(plain, k)}
        return urlencode({k: int(v) if isinstance(v, bool) else v for k, v in values.items()})


def default_budget(method: str) -> int | str:
    """Shallow slots stop by themselves where drafts no longer pay."""
    return "auto" if TABLE[method].drafts == AHEAD else _BRANCH_BUDGET


def number_between(value: Any, name: str, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number.") from None
    if not math.isfinite(number) or not low <= number <= high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}.")
    return number


def _whole(value: Any, name: str, low: int, high: int) -> int:
    number = number_between(value, name, low, high)
    if number != int(number):
        raise ValueError(f"{name} must be a whole number.")
    return int(number)


def _budget(value: Any) -> int | str:
    if value in (None, "", "auto"):
        return "auto"
    return _whole(value, 'The draft budget ("auto" or a number)', 0, 64)


def settings_of_query(query: dict[str, str]) -> RaceSettings:
    """The settings that a link names, defaults for the rest; ValueError if they are not valid, or not what the page
    can be set to."""
    known = {k: v for k, v in query.items() if k in RaceSettings.__dataclass_fields__}
    if "chat" in known:
        known["chat"] = known["chat"] not in ("0", "false", "False", "")  # type: ignore[assignment]
    settings = RaceSettings.parse(**known)
    for name, limits in PAGE_LIMITS.items():
        number_between(getattr(settings, name), f"In this link, {name}", *limits)
    return settings
