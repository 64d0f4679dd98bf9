"""The exhibit by kind of question."""

from __future__ import annotations

from dataclasses import replace

from ptp_core.benchmark.rows import Row

from ..look import Look
from ..words import category_words, counted, rounded
from .base import Drawing, Exhibit, Item, Part, over_rows


def _all(look: Look) -> Look:
    """The same look over all categories: this exhibit shows each of them."""
    return replace(look, category=None)


def _draw(look: Look) -> Drawing | None:
    figures = look.figures
    if not figures or len(figures["by_category"]) < 2:
        return None
    items: list[Item] = []
    for category, f in figures["by_category"].items():
        low, high = f["tokens_per_call_interval"] or (None, None)
        calls, questions = counted(f["num_calls"], "call"), counted(f["num_questions"], "question")
        text = f"{f['num_tokens']:,} tokens in {calls}, {questions}"
        if f["speedup_vs_ar"]:
            text += f"; {f['speedup_vs_ar']:.2f}× the speed of plain decoding"
        items.append({
            "label": category_words(category), "value": rounded(f["tokens_per_call"]), "low": rounded(low),
            "high": rounded(high), "count": f["num_questions"], "text": text,
        })  # fmt: skip
    tokens, calls = counted(figures["num_tokens"], "token"), counted(figures["num_calls"], "call")
    return Drawing(items, f"{tokens} in {calls} over all kinds.")


def _parts(look: Look, row: Row) -> dict[str, Part]:
    says = f"{row.num_tokens} tokens in {row.num_calls} calls"
    return {category_words(row.category): Part(row.num_tokens, row.num_calls, says)}


CATEGORY = Exhibit(
    "category",
    "By kind of question",
    "rows",
    "Tokens per call for each kind of question, with 95 % intervals over its questions.",
    "Choose a kind to see its questions, then open one in the Race.",
    _draw,
    _parts,
    rows=lambda look: _all(look).rows,
    over=lambda look: over_rows(_all(look)),
    options={"y": "number", "base": 1},
)
