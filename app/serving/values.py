"""How an event reaches a component."""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]


def as_value(event: dict[str, Any]) -> str:
    """An event as a component's value: one string. Gradio streams other values as patches of the last one,
    and those go wrong where an update is merged away. "<" is escaped, so no value looks like markup."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
