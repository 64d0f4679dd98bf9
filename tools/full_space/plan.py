"""Who comes: pages, models, prompts and addresses, each visitor with a mark of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ptp_core.storage.built_in import DEFAULT

RACE, NOISE, ACCEPTANCE, API = "race", "noise", "acceptance", "api"
PAGES = {RACE: "", NOISE: "noise", ACCEPTANCE: "acceptance"}  # page: its path
SMALL = "ptp-small"
MARK = re.compile(r"guest_\d{3}")  # recorder.js looks for the same
_FIRST_SEED = 3000
_DEFAULT_EVERY = 5  # each fifth visitor of Race and Noise asks the default model, the others the small one
_QUESTIONS = (
    "why is the sky blue?", "how does a bicycle stay upright?", "what is a prime number?", "name three rivers.",
    "how do bees make honey?", "what is a good name for a boat?", "why do we dream?",
)  # fmt: skip
_BODIES = ("(path):\n    lines = []", "(words):\n    counts = {}", "(a, b):\n    total = 0", "(items):\n    return")
LONG = "write a story of a thousand words about a lighthouse."  # its text does not end by itself


@dataclass(frozen=True)
class Visit:
    """What one visitor asks. mark: a word that stands in this prompt and in no other."""

    number: int
    page: str
    model: str
    prompt: str
    seed: int
    tokens: int

    @property
    def mark(self) -> str:
        return f"guest_{self.number:03d}"

    @property
    def address(self) -> str:
        """An address for documentation: the lab tells clients apart by it, and nobody owns it."""
        return f"203.0.113.{self.number}"


def visits(count: int, tokens: int, callers: int = 0) -> list[Visit]:
    """So many visitors with pages, which they open in turn, and then so many callers of the API."""
    kinds = [list(PAGES)[i % len(PAGES)] for i in range(count)] + [API] * callers
    return [visit(i + 1, kind, tokens) for i, kind in enumerate(kinds)]


def visit(number: int, page: str, tokens: int) -> Visit:
    """The visitor of this number, 1 to 254. The Acceptance page has no menu of models and asks the default."""
    large = page == ACCEPTANCE or number % _DEFAULT_EVERY == 0
    return asking(number, page, DEFAULT if large else SMALL, tokens)


def asking(number: int, page: str, model: str, tokens: int, question: str = "") -> Visit:
    """As `visit`, with a given model, and for the default one with a given question."""
    if model == DEFAULT:
        prompt = f"guest_{number:03d} asks: {question or _QUESTIONS[number % len(_QUESTIONS)]}"
    else:
        prompt = f"def guest_{number:03d}{_BODIES[number % len(_BODIES)]}"
    return Visit(number, page, model, prompt, _FIRST_SEED + number, tokens)
