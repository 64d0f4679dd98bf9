"""Words and figures that every view of a result shares."""

from __future__ import annotations

from ptp_core.methods import BASELINE, BLIND_METHOD, TABLE

from .shown import Shown

LABELS = {name: method.label for name, method in TABLE.items()}
FIELDS = {
    "draft_budget": "draft budget",
    "num_speculative_tokens": "drafts per call",
    "chained": "chain head (0 left aside, 1 used)",
    "temperature": "temperature",
    "draft_rule": "how u-blind slots draft",
}


def title(shown: Shown) -> str:
    """What a shipped result measured, in a few words; others keep the name that their visitor gave them."""
    if shown.origin != "shipped":
        return shown.name
    config = shown.result.config
    fields = list(dict.fromkeys(point.field for point in config.sweep))
    parts = [counted(len(shown.result.questions), "question")]
    if "draft_budget" not in fields:
        auto = config.draft_budget == "auto"
        parts.append("drafts where they pay" if auto else f"{config.draft_budget} slots per call")
    if config.draft_rule == "pick" and set(config.methods) == {BASELINE, BLIND_METHOD}:
        parts.append("u-blind drafts by Pick")
    if fields:
        parts.append("by " + ", ".join(FIELDS[name].partition(" (")[0] for name in fields))
    return ", ".join(parts)


def machine(shown: Shown) -> str:
    """Where a result was measured."""
    e = shown.result.environment
    return f"{e['device']}, {counted(e['threads'], 'thread')}, {e['dtype']}, {e['date']}"


def point_words(point: str) -> str:
    """A point of a sweep, in words."""
    name, _, value = point.partition("=")
    return f"{FIELDS.get(name, name)} {value}"


def category_words(category: str) -> str:
    return category.replace("_", " ")


def counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
