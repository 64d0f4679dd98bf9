"""The exhibit for researchers: how often a draft picks the target's token, by map and by how good the draft is.

    python -m app.noise.agreement

computes it from the recorded races and from synthetic pairs, and keeps it in assets/noise.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from typing import Any

import torch

from app.race.examples import examples_of
from app.race.races import recorded_race
from app.serving.models import ModelChoice, ModelShelf
from app.serving.values import Event
from ptp_core import analysis
from ptp_core.maps.agreement import synthetic_pairs
from ptp_core.maps.blind import blind_model
from ptp_core.storage.built_in import DEFAULT

from .recordings import FOLDER

FILE = FOLDER / "agreement.json"
RULES = {
    "argmax": "likeliest token, noise ignored",
    "probability": "one u, order of probability",
    "token_id": "one u, order of token id",
    "gumbel": "race of clocks",
    "limit": "the best that any rule can do",
}
EDGES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0001)
SPREAD = 6.0  # of the synthetic logits: the likeliest token then has a probability of 0.75 on average
_FEWEST = 8  # pairs in a bin that is shown


def agreement(request: Event) -> Event:
    """What the browser asks for when the panel opens: {"exhibits"}."""
    return {"exhibits": exhibits()}


@cache
def exhibits() -> list[dict[str, Any]]:
    """The charts, as app/static/charts draws them; [] where nothing was recorded."""
    if not FILE.exists():
        return []
    data = json.loads(FILE.read_text(encoding="utf-8"))
    return [_chart(name, data[name], data["source"]) for name in ("real", "synthetic")]


def _chart(name: str, bins: list[dict[str, Any]], source: str) -> dict[str, Any]:
    shown = [each for each in bins if each["count"] >= _FEWEST]
    places = [f"{each['mean_quality']:.2f}" for each in shown]
    count = sum(each["count"] for each in shown)
    drawn = source if name == "real" else "drawn at random"
    lines = [{"name": words, "items": [_item(words, rule, each) for each in shown]} for rule, words in RULES.items()]
    return {
        "id": f"agreement-{name}", "kind": "lines", "drill": False, "items": [],
        "title": f"How often drafts agree: {'real pairs' if name == 'real' else 'synthetic pairs'}",
        "what": "Each point is the share of all noise on which draft and target pick one token. "
        "To the right the draft's odds are closer to the target's (1 - total variation). "
        "Each rule raises the draft's odds to the power that suits it best.",
        "try": "Find where a line that uses the noise leaves the line that ignores it.",
        "says": f"{count:,} pairs of odds, {drawn}. {_together(shown, count)}",
        "over": "", "axis": "quality of the draft: 1 - total variation", "y": "share", "places": places, "lines": lines,
    }  # fmt: skip


def _item(words: str, rule: str, each: dict[str, Any]) -> dict[str, Any]:
    share, sharpness = each["shares"][rule], each["sharpness"][rule]
    power = f", odds to the power {sharpness:g}" if sharpness != 1 else ""
    text = f"{words}: {100 * share:.1f} % at quality {each['mean_quality']:.2f}{power}, {each['count']} pairs"
    return {"label": f"{each['mean_quality']:.2f}", "value": round(share, 4), "count": each["count"], "text": text}


def _together(bins: list[dict[str, Any]], count: int) -> str:
    """The share of each rule over all pairs, in words."""
    means = {rule: sum(each["shares"][rule] * each["count"] for each in bins) / max(count, 1) for rule in RULES}
    return "All together: " + ", ".join(f"{RULES[rule]} {100 * mean:.1f} %" for rule, mean in means.items()) + "."


def main() -> None:
    """Computes both kinds of pairs and writes them."""
    shelf, choice = ModelShelf(), ModelChoice()
    model = shelf.get(choice)
    traces = [recorded_race(name).reference for name in examples_of(DEFAULT)]
    parts = [analysis.draft_pairs(model, trace, shelf.contexts(choice)) for trace in traces]
    p, q = (torch.cat([part[i] for part in parts]) for i in range(2))
    drawn = [
        synthetic_pairs(150, 48, SPREAD, noise, seed) for seed, noise in enumerate((0.2, 0.5, 0.8, 1.2, 1.8, 2.6, 3.6))
    ]
    a, b = (torch.cat([part[i] for part in drawn]) for i in range(2))
    adapter = blind_model(model).require_adapter().name
    data: dict[str, Any] = {
        "source": f"{model.name} and {adapter} along {len(traces)} recorded texts, temperature 0.7",
        "real": [asdict(each) for each in analysis.by_quality(p, q, EDGES)],
        "synthetic": [asdict(each) for each in analysis.by_quality(a, b, EDGES)],
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
    for name in ("real", "synthetic"):
        for each in data[name]:
            shares = ", ".join(f"{rule} {share:.3f}" for rule, share in each["shares"].items())
            print(f"{name} {each['mean_quality']:.2f} ({each['count']}): {shares}")


if __name__ == "__main__":
    main()
