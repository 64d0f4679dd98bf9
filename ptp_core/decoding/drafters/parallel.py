"""Decoding with parallel shallow slots: a call verifies, then all slots of a window run at once behind it."""

from __future__ import annotations

from .base import drafts
from .shallow import Shallow


@drafts("parallel_shallow")
class Parallel(Shallow):
    """Behind a call's last token the window's slots draft at once. A Markov head tells each the draft before it.

    draft_budget is as for shallow slots. ValueError without parallel slots.
    """

    part = "parallel"


@drafts("parallel_shallow_lookup")
class ParallelLookup(Parallel):
    """The same, and where the text repeats itself, drafts are looked up."""

    looks_up = True
