"""Events: what a page's handlers tell the browser, as small dictionaries, and how they travel."""

from __future__ import annotations

import json
from typing import Any

from ptp_core.refusals import REFUSALS, sentence

Event = dict[str, Any]

__all__ = ["REFUSALS", "Event", "as_value", "error_event", "sentence"]


def error_event(error: Exception) -> Event:
    return {"event": "error", "message": sentence(error)}


def as_value(event: Event) -> str:
    """An event as a component's value: one string. Gradio streams other values as patches of the last one,
    and those go wrong where an update is merged away. "<" is escaped, so no value looks like markup."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
