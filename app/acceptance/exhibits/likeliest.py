"""Exhibits that set each kind of draft beside the target's likeliest token: does it use the noise?"""

from __future__ import annotations

from functools import partial
from typing import Any

from ptp_core.methods import AHEAD, BRANCHES, TABLE

from ..look import Look
from ..words import counted, percent
from .base import Drawing, Exhibit, over_all, share_item


def _draw(key: str, look: Look) -> Drawing | None:
    found = look.shown.comparison(look.point, look.category)
    lines = [_line(each, key) for each in _kinds(found["lines"])]
    if not any(TABLE[each["method"]].exact for each in lines if each["method"] in TABLE):
        return None  # nobody drafted
    target = next((each for each in found["lines"] if each["name"] == "target"), None)
    if target is None:
        says = found["lacking"]
    else:
        whole = target["likeliest"]["all"]
        says = (
            f"The target's likeliest token is the text's token at {percent(whole['share'])} of "
            f"{counted(whole['count'], 'place')}. Drafts stand where verification reached them."
        )
    return Drawing([], says, {"places": [item["label"] for item in lines[0]["items"]], "lines": lines})


def _kinds(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The target and one method of each kind of slots: with u or without, in branches or ahead, by either rule."""
    kept: dict[Any, dict[str, Any]] = {}
    for each in lines:
        method = TABLE.get(each["name"])
        if method is None or method.drafts in (BRANCHES, AHEAD):
            kept.setdefault(method and (method.drafts, method.sees_u, each["rule"]), each)
    return list(kept.values())


def _line(each: dict[str, Any], key: str) -> dict[str, Any]:
    drafts, likeliest = each["drafts"], each["likeliest"]
    name = each["label"] + (f", {'likeliest token' if each['rule'] == 'argmax' else 'Pick'}" if each["rule"] else "")
    shares = (drafts or likeliest)[key]
    beside = likeliest[key] if drafts and likeliest else [None] * len(shares)
    items = []
    for share, there in zip(shares, beside, strict=True):
        item = share_item(share)
        text = f"{name}, {share['label']}: {item['text']}"
        if there is not None and there["count"]:
            text += f". The target's likeliest token at the same places: {percent(there['share'])}"
        items.append({**item, "text": text})
    return {"name": name, "method": each["name"], "items": items}


_WHAT = (
    "Each line is a kind of draft, and one is the target's own likeliest token. "
    "A draft that uses the noise can be right where the likeliest token is wrong."
)
LIKELIEST_BY_ENTROPY = Exhibit(
    "likeliest-by-entropy",
    "Drafts and the target's likeliest token, by entropy",
    "lines",
    _WHAT,
    "Find a place where a draft that reads u lies above the u-blind one. There the noise helps.",
    partial(_draw, "by_entropy"),
    over=over_all,
    options={"axis": "entropy of the target, in nats", "y": "share"},
)
LIKELIEST_BY_MARGIN = Exhibit(
    "likeliest-by-margin",
    "Drafts and the target's likeliest token, by margin",
    "lines",
    _WHAT,
    "Where u lies far from another token, the likeliest token is nearly always right. Look at small margins.",
    partial(_draw, "by_margin"),
    over=over_all,
    options={"axis": "distance of u to another token", "y": "share"},
)
