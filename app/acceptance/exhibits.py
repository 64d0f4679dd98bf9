"""The exhibits of a benchmark result: one chart per question asked of it, as plain data.

An exhibit says what it shows, over how much, and what to try; app/static/charts.js draws its kind:
  bars   columns with intervals, each with an optional second value ("mark")
  rows   the same lying, for long labels
  curve  points against a diagonal
  lines  several series over the same places
Every bar carries its own sentence ("text"), so that nothing is worked out again in the browser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .results import Shown

LABELS = {
    "ar": "autoregressive",
    "ptp": "PTP",
    "pqd": "PTP with branches (PQD)",
    "shallow": "shallow PTP",
    "shallow_lookup": "shallow PTP and lookup",
    "independent": "u-blind drafts",
    "prompt_lookup": "prompt lookup",
    "hf_generate": "transformers generate",
    "hf_prompt_lookup": "transformers prompt lookup",
    "hf_assisted": "transformers assisted",
}
FIELDS = {
    "draft_budget": "draft budget",
    "num_speculative_tokens": "drafts per call",
    "chained": "chain head (0 left aside, 1 used)",
    "temperature": "temperature",
}

Exhibit = dict[str, Any]
Item = dict[str, Any]


def exhibits_view(shown: Shown, method: str, point: str, category: str | None) -> list[Exhibit]:
    """Every exhibit that this method has, in the page's order; where it verified no draft, only those of its calls."""
    found: list[Exhibit] = []
    if method in shown.drafting(point):
        found = [e for e in _of_analysis(shown.analysis(method, point, category)) if e]
        over = _over(shown, method, point, category)
        for exhibit in found:
            exhibit["over"] = over
    return [*_sweeps(shown, category), *found, *_by_category(shown, method, point), *_cost(shown)]


def _over(shown: Shown, method: str, point: str, category: str | None) -> str:
    """What every exhibit of a method stands on: tokens, questions, machine."""
    rows = shown.select(method, point, category)
    tokens = sum(row.num_tokens for row in rows)
    only = f" of category {category}" if category else ""
    where = f" at {_point_words(point)}" if point else ""
    return f"{LABELS[method]}{where}, {tokens:,} tokens of {_count(len(rows), 'question')}{only}; {machine(shown)}"


def machine(shown: Shown) -> str:
    e = shown.result.environment
    return f"{e['device']}, {_count(e['threads'], 'thread')}, {e['dtype']}, {e['date']}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _point_words(point: str) -> str:
    name, _, value = point.partition("=")
    return f"{FIELDS.get(name, name)} {value}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _of_analysis(a: Mapping[str, Any]) -> Iterator[Exhibit]:
    if not a["num_drafts"]:
        yield from (_slots(a), _bounds(a))
        return
    yield _position(a)
    yield _shares(
        "entropy", "By the target's entropy", a["by_entropy"], "bars", "entropy of the target, nats",
        "How many drafts were right where the target was sure (left) and where it was torn between tokens (right).",
        "Compare with u-blind drafts: where the target is torn, a draft that does not know u can only guess.",
        f"Entropy of the target's distribution at {_count(a['num_reached'], 'draft')} that verification reached.",
    )  # fmt: skip
    yield _shares(
        "margin", "By how close the call was", a["by_margin"], "bars", "distance of u from the next token's edge",
        "The margin is how far u lay from the edge of another token. A small margin forgives no error of the draft.",
        "Read the left bars: they are drafts that had to know the target's probabilities to a hundredth.",
        f"Margin of u at {_count(a['num_reached'], 'draft')} that verification reached.",
    )  # fmt: skip
    yield _shares(
        "class", "By kind of token", a["by_class"], "rows", "",
        "Some tokens are easier to foresee: a word's second half, a bracket that closes.",
        "Choose a bar to see in which questions these tokens stood.",
        f"Class of the text's token at {_count(a['num_reached'], 'draft')} that verification reached.",
    )  # fmt: skip
    yield _calibration(a)
    yield _lengths(a)
    yield _slots(a)
    yield _allocator(a)
    yield _bounds(a)


def _share_item(share: Mapping[str, Any], noun: str = "right") -> Item:
    text = f"{share['right']:,} of {share['count']:,} {noun}" if share["count"] else "none seen"
    if share["count"]:
        text += f": {percent(share['share'])}, 95 % between {percent(share['low'])} and {percent(share['high'])}"
    between = {key: rounded(share[key]) for key in ("low", "high")}
    return {"label": share["label"], "value": rounded(share["share"]), **between, "count": share["count"], "text": text}


def _shares(
    name: str, title: str, shares: Sequence[Mapping[str, Any]], kind: str, axis: str, what: str, attempt: str, says: str
) -> Exhibit:
    items = [_share_item(s) for s in shares]
    noun = name if axis else ""
    return _exhibit(name, title, kind, items, what, attempt, says, axis=axis, noun=noun, y="share", drill=True)


def _exhibit(
    name: str, title: str, kind: str, items: list[Item], what: str, attempt: str, says: str, **more: Any
) -> Exhibit:
    """what = two lines on what is seen, attempt = something to try, says = the one sentence with its counts."""
    return {
        "id": name,
        "title": title,
        "kind": kind,
        "items": items,
        "what": what,
        "try": attempt,
        "says": says,
        **more,
    }


def _position(a: Mapping[str, Any]) -> Exhibit:
    items = [_share_item(s) for s in a["by_position"]]
    for item, alone in zip(items, a["by_position_alone"], strict=True):
        item["mark"] = rounded(alone["share"])
        item["text"] += f". Right at its own place, whatever came before: {percent(alone['share'])}"
    first = a["by_position"][0]
    says = (
        f"The first draft of a call was right in {percent(first['share'])} of {_count(first['count'], 'call')}; "
        f"each bar counts only drafts behind right ones ({a['num_reached']:,} of {a['num_drafts']:,} drafts)."
    )
    return _exhibit(
        "position", "By place in the call", "bars", items,
        "How often the k-th draft was right, given that all before it were. The ring leaves that condition out.",
        "If the bars stay level, later drafts are as good as the first, and longer ones pay.",
        says, axis="draft position", noun="draft", y="share", drill=True, mark="right at its own place",
    )  # fmt: skip


def _calibration(a: Mapping[str, Any]) -> Exhibit:
    if a["calibration_error"] is None:
        return {}
    items = [{**_share_item(s), "x": rounded(s["mean_confidence"])} for s in a["by_confidence"]]
    for item in items:
        item["label"] = f"confidence {item['label']}"
    return _exhibit(
        "confidence", "Does it know when it is right?", "curve", items,
        "Each point gathers drafts of like confidence. On the diagonal, those that say 70 % are right 7 times in 10.",
        "Points below the diagonal promise too much. The allocator spends slots by these promises.",
        f"Expected calibration error {a['calibration_error']:.3f} over {_count(a['num_reached'], 'draft')} "
        "that verification reached.",
        axis="confidence of the draft", y="share", drill=True,
    )  # fmt: skip


def _lengths(a: Mapping[str, Any]) -> Exhibit:
    found = a["lengths"]
    if not found["count"]:
        return {}
    items = [
        {
            "label": str(n), "value": seen, "mark": round(expected, 2), "count": seen,
            "text": f"{_count(seen, 'call')} accepted {_count(n, 'draft')}; the geometric fit expects {expected:.1f}",
        }
        for n, (seen, expected) in enumerate(zip(found["observed"], found["expected"], strict=True))
    ]  # fmt: skip
    return _exhibit(
        "lengths", "How many drafts a call accepts", "bars", items,
        "Calls by the number of drafts accepted. The ring is what one constant chance per draft would give.",
        "Tall right bars over their rings: some stretches of text are easy throughout, so budgets should follow them.",
        f"{_count(found['count'], 'verifying call')} accepted {found['mean']:.2f} drafts on average; "
        f"the fit has chance {found['rate']:.2f} per draft.",
        axis="drafts accepted", noun="accepted", y="count", drill=True, mark="geometric fit",
    )  # fmt: skip


def _slots(a: Mapping[str, Any]) -> Exhibit:
    total = a["slots"][0]["count"] if a["slots"] else 0
    if not total:
        return {}
    wasted = sum(s["right"] for s in a["slots"] if s["label"] not in ("right drafts", "settled by verification"))
    return _exhibit(
        "slots", "Where the budget went", "rows", [_share_item(s, "slots") for s in a["slots"]],
        "A slot costs the same whether its draft is used or not. Here is what became of each.",
        "Choose “branch not kept”: these slots were spent on outcomes that did not come true.",
        f"Of {_count(total, 'slot')}, {percent(wasted / total)} brought nothing.", y="share", drill=True,
    )  # fmt: skip


def _allocator(a: Mapping[str, Any]) -> Exhibit:
    found = a["allocator"]
    if not found["calls"] or not found["expected"]:
        return {}
    items = [
        {
            "label": f"expected {b['label']}", "x": rounded(b["expected"]), "value": rounded(b["realised"]),
            "low": None, "high": None, "count": b["count"],
            "text": f"{_count(b['count'], 'call')}: {b['expected']:.2f} right drafts expected, {b['realised']:.2f} came"
            if b["count"] else "no call",
        }
        for b in found["bins"]
    ]  # fmt: skip
    between = found["ratio_interval"]
    spread = f" (95 % between {between[0]:.2f} and {between[1]:.2f})" if between else ""
    return _exhibit(
        "allocator", "Promise and delivery", "curve", items,
        "The allocator places slots by how many right drafts it expects of them. Did they come?",
        "Above the diagonal it was too timid, below it too bold. The adapter's own figures set its expectations.",
        f"Over {_count(found['calls'], 'call')}, {found['realised']:,} right drafts came of {found['expected']:,.0f} "
        f"expected: ratio {found['ratio']:.2f}{spread}.",
        axis="expected right drafts", y="number", drill=True,
    )  # fmt: skip


def _bounds(a: Mapping[str, Any]) -> Exhibit:
    found = a["bounds"]
    if not found or not found["speedup_after_prompt"]:
        return {}
    bound = found["cost_bound"]
    bars = [
        ("plain decoding", 1.0, "the autoregressive baseline, by definition"),
        ("measured", found["speedup_after_prompt"], "measured, first calls left out"),
        ("nothing wasted", found["oracle_speedup"], "the same drafts accepted, no slot or wrong draft paid for"),
        ("best fixed depth", bound["speedup"], f"{_count(bound['drafts'], 'draft')} per call by the cost curve"),
    ]
    items = [
        {"label": label, "value": rounded(value), "count": 1, "text": f"{value:.2f}×: {text}"}
        for label, value, text in bars
        if value is not None
    ]
    own = "" if found["own_run"] else " Acceptance is the adapter's own figure: too few calls here."
    if found["reached"] > 1.05:
        own += " More than a bound can be: the machine was not equally fast for all."
    return _exhibit(
        "bounds", "How fast could it be here?", "rows", items,
        "Two bounds by the measured price of a call: one for any allocator that must guess, one for these very drafts.",
        "A bound near 1 means the machine, not the method, sets the limit: here each further position costs time.",
        f"Measured {found['speedup_after_prompt']:.2f}×, {percent(found['reached'])} of the bound of "
        f"{bound['speedup']:.2f}×.{own}",
        y="number", unit="×", drill=False,
    )  # fmt: skip


def _by_category(shown: Shown, method: str, point: str) -> Iterator[Exhibit]:
    figures = {**shown.summaries.get("", {}), **shown.summaries.get(point, {})}.get(method)
    if not figures or len(figures["by_category"]) < 2:
        return
    items = []
    for category, f in figures["by_category"].items():
        low, high = f["tokens_per_call_interval"] or (None, None)
        text = (
            f"{f['num_tokens']:,} tokens in {_count(f['num_calls'], 'call')}, {_count(f['num_questions'], 'question')}"
        )
        if f["speedup_vs_ar"]:
            text += f"; {f['speedup_vs_ar']:.2f}× the speed of plain decoding"
        items.append({"label": category.replace("_", " "), "value": rounded(f["tokens_per_call"]), "low": rounded(low),
                      "high": rounded(high), "count": f["num_questions"], "text": text})  # fmt: skip
    yield _exhibit(
        "category", "By kind of question", "rows", items,
        "Tokens that one call brings, for each kind of question, with 95 % intervals over its questions.",
        "Choose a kind to see its questions, then open one in the Race.",
        f"{_count(figures['num_tokens'], 'token')} in {_count(figures['num_calls'], 'call')} over all kinds.",
        y="number", base=1, drill=True, over=_over(shown, method, point, None),
    )  # fmt: skip


def _sweeps(shown: Shown, category: str | None) -> Iterator[Exhibit]:
    for name in dict.fromkeys(p.field for p in shown.result.config.sweep):
        points = [p for p in shown.result.config.sweep if p.field == name]
        present = [p for p in points if p.name in shown.summaries]
        for key, title, unit in (("tokens_per_call", "Tokens per call", ""), ("speedup_vs_ar", "Speed", "×")):
            lines = _lines(shown, present, key, category, unit)
            if lines:
                yield _exhibit(
                    f"sweep-{name}-{key}", f"{title} against {FIELDS[name]}", "lines", [],
                    "Each line is a method, each place one setting; whiskers are 95 % intervals over questions.",
                    "More tokens per call is not more speed: look where one still rises and the other falls.",
                    f"{_count(len(present), 'setting')}, every method on the same "
                    f"{_count(len(shown.result.questions), 'question')}.",
                    axis=FIELDS[name], y="number", unit=unit, base=1,
                    places=[f"{p.value}" for p in present], lines=lines, drill=False,
                    over=f"{machine(shown)}{f'; category {category}' if category else ''}",
                )  # fmt: skip


def _lines(shown: Shown, points: Sequence[Any], key: str, category: str | None, unit: str) -> list[dict[str, Any]]:
    lines = []
    between = {"tokens_per_call": "tokens_per_call_interval", "speedup_vs_ar": "speedup_interval"}[key]
    for method in dict.fromkeys(m for p in points for m in shown.summaries[p.name]):
        items = []
        for p in points:
            f = shown.summaries[p.name].get(method)
            f = f["by_category"].get(category) if f and category else f
            low, high = (f[between] if f else None) or (None, None)
            value = f[key] if f else None
            text = f"{LABELS[method]}, {p.value}: " + ("not run" if value is None else f"{value:.2f}{unit}")
            bounds = {"low": rounded(low), "high": rounded(high)}
            items.append({"label": str(p.value), "value": rounded(value), **bounds, "text": text})
        if method != "ar" and any(item["value"] is not None for item in items):
            lines.append({"name": LABELS[method], "method": method, "items": items})
    return lines


def _cost(shown: Shown) -> Iterator[Exhibit]:
    curve = shown.result.curve
    if curve is None:
        return
    items = [
        {"label": str(n), "value": round(ms, 3), "low": None, "high": None, "text": f"{n} positions: {ms:.1f} ms"}
        for n, ms in zip(curve.positions, curve.milliseconds, strict=True)
    ]
    yield _exhibit(
        "cost", "What a call costs here", "lines", [],
        "Milliseconds of one model call by how many positions it carries: the last token, drafts to verify, slots.",
        "Where the line is flat, drafts are free. Where it rises, each must earn its time.",
        f"{curve.positions[-1]} positions cost {curve.ms(curve.positions[-1]) / curve.ms(1):.1f} times as much as one.",
        axis="positions in the call", y="number", unit=" ms", base=0, drill=False,
        places=[str(n) for n in curve.positions], lines=[{"name": "one call", "method": "pqd", "items": items}],
        over=machine(shown),
    )  # fmt: skip


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
