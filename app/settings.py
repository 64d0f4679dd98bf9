"""What a visitor may set: checked settings of a run, and the links that carry them.

A page, a link or a caller of the API names settings by the words in RANGES. RunSettings.parse turns them into the
core's own types, or says in a sentence what is wrong.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from ptp_core import SamplingConfig
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.methods import AHEAD, DEFAULT_METHOD, RACED, TABLE
from ptp_core.storage.built_in import BUILT_IN, DEFAULT, is_here
from ptp_core.text_files import whole_characters

MAX_NEW_TOKENS = 256
MAX_PROMPT_TOKENS = int(os.environ.get("PTP_LAB_MAX_PROMPT_TOKENS", "2048"))
MAX_PROMPT_CHARACTERS = 200_000
U_DIGITS = 7  # of a u that a visitor sets: in links, and at most 0.9999999
_BRANCH_BUDGET = 8  # keeps slots in branches in sight even where "auto" finds them too dear
COUPLING_LABELS = {"inverse_cdf": "one u (inverse CDF)", "gumbel": "a race of clocks (Gumbel)"}
MODEL_LABELS = {name: f"{model.short}: {'chat' if model.chats else 'Python'}" for name, model in BUILT_IN.items()}
BUDGETS = ("auto", "0", "4", "6", "8", "12", "16", "24", "32", "48", "64")


@dataclass(frozen=True)
class Range:
    """What a number is called, and between which limits the lab takes it."""

    called: str
    low: float
    high: float
    whole: bool = True

    def check(self, value: Any) -> Any:
        """The number, as int where it must be whole; ValueError with a sentence for anything else."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.called} must be a number.") from None
        if not math.isfinite(number) or not self.low <= number <= self.high:
            raise ValueError(f"{self.called} must lie between {self.low:g} and {self.high:g}.")
        if self.whole and number != int(number):
            raise ValueError(f"{self.called} must be a whole number.")
        return int(number) if self.whole else number


RANGES = {
    "seed": Range("The seed", 0, 2**53),
    "max_new_tokens": Range("The number of tokens", 1, MAX_NEW_TOKENS),
    "temperature": Range("The temperature", 0, 5, whole=False),
    "top_k": Range("top-k", 0, 100_000),
    "top_p": Range("top-p", 0.01, 1, whole=False),
    "num_speculative_tokens": Range("The number of drafts", 0, 16),
    "draft_budget": Range('The draft budget ("auto" or a number)', 0, 64),
}
# What the page's sliders reach. A call of the API may go further.
PAGE_RANGES = {
    "temperature": (0, 2),
    "top_k": (0, 200),
    "top_p": (0.05, 1),
    "max_new_tokens": (1, MAX_NEW_TOKENS),
    "num_speculative_tokens": (0, 12),
}
_SAMPLING, _DECODING = SamplingConfig(), DecodeSettings(num_speculative_tokens=5)


@dataclass(frozen=True)
class RunSettings:
    """What one run does: the text to continue, by which of the lab's models, its noise, how it is decoded."""

    prompt: str
    model: str = DEFAULT
    chat: bool = True
    seed: int = 7
    method: str = DEFAULT_METHOD
    sampling: SamplingConfig = _SAMPLING
    decoding: DecodeSettings = _DECODING

    @classmethod
    def parse(
        cls,
        *,
        prompt: Any = "",
        model: str | None = None,
        chat: Any = chat,
        seed: Any = seed,
        method: str | None = None,
        temperature: Any = sampling.temperature,
        top_k: Any = sampling.top_k,
        top_p: Any = sampling.top_p,
        max_new_tokens: Any = decoding.max_new_tokens,
        num_speculative_tokens: Any = decoding.num_speculative_tokens,
        draft_budget: Any = None,
        coupling: Any = sampling.coupling,
        among: Sequence[str] = RACED,
    ) -> RunSettings:
        """Settings from raw input. ValueError with a sentence for what is wrong with it.

        No method means the default one; no draft budget, or an empty one, the method's own. among: the methods
        that may be asked for.
        """
        model = model or cls.model
        if model not in BUILT_IN or not is_here(model):
            raise ValueError(f"The lab has no model {model!r}; choose one of {', '.join(filter(is_here, BUILT_IN))}.")
        method = method or cls.method
        if method not in among:
            raise ValueError(f"Unknown method {method!r}; choose one of {', '.join(among)}.")
        budget = default_budget(method) if draft_budget in (None, "") else draft_budget
        drafts = num_speculative_tokens
        return cls(
            prompt=checked_prompt(prompt),
            model=model,
            chat=bool(chat),
            seed=RANGES["seed"].check(seed),
            method=method,
            sampling=SamplingConfig(
                temperature=RANGES["temperature"].check(temperature),
                top_k=RANGES["top_k"].check(top_k),
                top_p=RANGES["top_p"].check(top_p),
                coupling=str(coupling),
            ),
            decoding=DecodeSettings(
                max_new_tokens=RANGES["max_new_tokens"].check(max_new_tokens),
                num_speculative_tokens=None if drafts is None else RANGES["num_speculative_tokens"].check(drafts),
                draft_budget=budget if budget == "auto" else RANGES["draft_budget"].check(budget),
            ),
        )

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> RunSettings:
        """The settings that a link names, defaults for the rest.

        ValueError with a sentence if they are not valid, or not what the page can be set to.
        """
        known: dict[str, Any] = {name: value for name, value in query.items() if name in NAMES}
        if "chat" in known:
            known["chat"] = known["chat"] not in ("0", "false", "False", "")
        settings = cls.parse(**known)
        values = settings.values()
        for name, (low, high) in PAGE_RANGES.items():
            if values[name] is not None:
                replace(RANGES[name], called=f"In this link, {name}", low=low, high=high).check(values[name])
        return settings

    def values(self) -> dict[str, Any]:
        """The settings by the names that links, the API and the page's inputs use; the inverse of `parse`."""
        return {
            **{name: getattr(self, name) for name in ("prompt", "model", "chat", "seed", "method")},
            **{name: getattr(self.sampling, name) for name in ("temperature", "top_k", "top_p", "coupling")},
            **{name: getattr(self.decoding, name) for name in _DECODING_NAMES},
        }

    def query(self) -> str:
        """The settings as the query of a link; what equals its default is left out."""
        plain = RunSettings("").values() | {"draft_budget": default_budget(self.method)}
        changed = {name: value for name, value in self.values().items() if value != plain[name]}
        return urlencode({name: int(value) if isinstance(value, bool) else value for name, value in changed.items()})


_DECODING_NAMES = ("max_new_tokens", "num_speculative_tokens", "draft_budget")  # what a visitor sets of DecodeSettings
NAMES = frozenset(RunSettings("").values())
ASKED = (  # the inputs of the line on which a visitor asks, in their order
    "prompt", "model", "seed", "method", "coupling", "temperature", "top_k", "top_p", "max_new_tokens",
    "num_speculative_tokens", "draft_budget", "chat",
)  # fmt: skip


def checked_prompt(prompt: Any) -> str:
    """The text with whole characters only; ValueError with a sentence if it is empty or too long for this lab."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("Type a prompt first.")
    prompt = whole_characters(prompt)
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise ValueError(f"The prompt has {len(prompt):,} characters; this lab takes {MAX_PROMPT_CHARACTERS:,}.")
    return prompt


def default_budget(method: str) -> int | str:
    """The draft budget to begin with. What drafts ahead stops by itself where drafts no longer pay."""
    return "auto" if TABLE[method].drafts == AHEAD else _BRANCH_BUDGET
