"""Files as they come back from the world: edited by hand, cut off, of another version. Seeded.

    for content in damaged(data, count=200, seed=0): ...

Each is the text of `data` as JSON with one to three wounds. A wound is a value of another kind or size, a key that is
gone or new, or a list with an item twice, missing or moved. Or the text is cut off, or torn.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

_ODD: list[Any] = [
    None, True, False, 0, 1, -1, 7, 0.5, -0.5, 1e308, -1e308, 2**63, 10**30, float("nan"), float("inf"), "", "x",
    "None", "\ud800", "a\nb", [], [0], [[]], {}, {"x": 1}, "1", "0.5", [None], "9" * 40,
]  # fmt: skip


def damaged(data: Any, count: int, seed: int) -> Iterator[str]:
    """The texts of `count` damaged copies; about one in ten is damaged as a text."""
    draw = random.Random(seed)
    for _ in range(count):
        if draw.random() < 0.1:
            yield _torn(json.dumps(data), draw)
            continue
        wounded = copy.deepcopy(data)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            _wound(wounded, draw)
        yield json.dumps(wounded)


def _torn(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text))
    before, behind = text[:place], text[place:]
    odd, long = chr(draw.randrange(32, 0x250)), "9" * 5000
    return draw.choice((before, before + behind[1:], "\ufeff" + before, before + odd + behind, "[" * 5000, "", long))


def _wound(data: Any, draw: random.Random) -> None:
    """Changes one place, in place; deep ones are as likely as those at the top."""
    parent, key = _place(data, draw)
    ways = ["odd", "odd", "near", "drop"] + (["twice", "swap"] if isinstance(parent, list) else ["new", "foreign"])
    way = draw.choice(ways)
    if way == "odd":
        parent[key] = copy.deepcopy(draw.choice(_ODD))
    elif way == "near":
        parent[key] = _near(parent[key], draw)
    elif way == "drop":
        del parent[key]
    elif way == "new":
        parent[f"{key}_"] = draw.choice(_ODD)
    elif way == "foreign":
        parent[draw.choice(list(parent))] = copy.deepcopy(parent[key])
    elif way == "twice":
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        other = draw.randrange(len(parent))
        parent[key], parent[other] = parent[other], parent[key]


def _place(data: Any, draw: random.Random) -> tuple[Any, Any]:
    """A container with something in it, and a key or an index of it."""
    parent, key = None, None
    while isinstance(data, (dict, list)) and data:
        if parent is not None and draw.random() < 0.25:
            break
        parent, key = data, draw.choice(list(data)) if isinstance(data, dict) else draw.randrange(len(data))
        data = parent[key]
    return parent, key


def _near(value: Any, draw: random.Random) -> Any:
    """A value of the same kind that lies near."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + draw.choice((-1, 1, 1000, -1000))
    if isinstance(value, float):
        return value * draw.choice((-1, 0, 2, 0.99, 1e6))
    return value + draw.choice(("x", "\u202e", "<b>")) if isinstance(value, str) else draw.choice(_ODD)


def sentence_of(error: ValueError) -> str:
    """The error's text, which must be one sentence that a visitor can read."""
    text = str(error)
    assert text.strip() and "\n" not in text and "Traceback" not in text and len(text) < 600, text
    return text
