"""The exhibits of a benchmark result, in the page's order. An exhibit is one file's constant and one place here."""

from __future__ import annotations

from typing import Any

from ..look import Look
from .base import Exhibit
from .calls import ALLOCATOR, LENGTHS, SLOTS
from .categories import CATEGORY
from .drafts import CLASS, CONFIDENCE, ENTROPY, MARGIN, POSITION
from .failures import FAILURES
from .likeliest import LIKELIEST_BY_ENTROPY, LIKELIEST_BY_MARGIN
from .speed import BOUNDS, COST
from .sweeps import sweeps

EXHIBITS = {
    exhibit.id: exhibit
    for exhibit in (
        POSITION, ENTROPY, MARGIN, LIKELIEST_BY_ENTROPY, LIKELIEST_BY_MARGIN, CLASS, CONFIDENCE, LENGTHS, SLOTS,
        ALLOCATOR, BOUNDS, CATEGORY, COST, FAILURES,
    )
}  # fmt: skip


def exhibits_view(look: Look) -> list[dict[str, Any]]:
    """Every exhibit that has something to show of this method, sweeps first."""
    views = (exhibit.view(look) for exhibit in (*sweeps(look), *EXHIBITS.values()))
    return [view for view in views if view is not None]


def exhibit_of(name: str) -> Exhibit:
    """The exhibit of this id; ValueError with a sentence where there is none with questions behind its bars."""
    if name not in EXHIBITS:
        raise ValueError("This chart has no questions behind it.")
    return EXHIBITS[name]
