"""Links: from the query of an address to what the page is set to and shows."""

from __future__ import annotations

from dataclasses import replace

from .handlers import RaceSettings, number_between
from .runs import recorded_names
from .runtime import RUNS

# what the page's sliders reach; a call of the API may go further
PAGE_LIMITS = {"temperature": (0, 2), "top_k": (0, 200), "top_p": (0.05, 1), "num_speculative_tokens": (0, 12)}


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


def recorded_for(settings: RaceSettings) -> str | None:
    """The name of a recorded race of exactly these settings, if there is one."""
    for name in recorded_names():
        trace = RUNS.get(f"recorded:{name}").lanes["ptp"]
        same = (trace.prompt, trace.noise.seed, trace.sampling.temperature, trace.sampling.top_k, trace.sampling.top_p)
        wanted = (settings.prompt, settings.seed, settings.temperature, settings.top_k, settings.top_p)
        plain = replace(settings, prompt="", seed=7, temperature=0.7, top_k=50, top_p=0.95) == RaceSettings("")
        if same == wanted and plain:
            return name
    return None
