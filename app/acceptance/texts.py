"""Texts that a result does not hold, from its tokens: by the tokenizer of the model of the lab that made it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ptp_core.benchmark.rows import Call, Row
from ptp_core.decoding.drafters.lookup import find_continuation
from ptp_core.methods import LOOKUP, TABLE
from ptp_core.model.tokenizer import PieceStream, TextSide
from ptp_core.storage.built_in import BUILT_IN, DEFAULT, target_folder
from ptp_core.storage.default_target import kept_target

from .shown import Shown


def text_side(shown: Shown) -> TextSide | None:
    """The tokenizer of the result's model; None where it is another's than the lab's, or is not here yet."""
    model = shown.result.environment.get("model")
    name = next((key for key, target in BUILT_IN.items() if model in (key, target.title)), None)
    folder = None if name is None else kept_target() if name == DEFAULT else target_folder(name)
    return None if folder is None else _tokenizer(folder)


@cache
def _tokenizer(folder: Path) -> TextSide:
    from transformers import AutoTokenizer

    found = TextSide()
    found.tokenizer, found.name, found._labels = AutoTokenizer.from_pretrained(folder), folder.name, {}
    return found


def pieces(texts: TextSide, row: Row) -> list[str] | None:
    """The text that each token of an answer added; None if they do not join to the answer."""
    stream = PieceStream(texts.decode)
    found = [stream.push(token, last=i == len(row.tokens) - 1) for i, token in enumerate(row.tokens)]
    return found if "".join(found) == row.text else None


def looked_up(texts: TextSide, shown: Shown, row: Row, call: Call) -> str:
    """The first wrong draft of a call whose drafts were looked up in the text before it; "" by any other method."""
    if TABLE[row.method].drafts != LOOKUP:
        return ""
    prompt = next(q.prompt for q in shown.result.questions if q.question_id == row.question_id)
    before = [*texts.encode(prompt, chat=True), *row.tokens[: call.start]]
    drafts = find_continuation(before, len(call.confidences))
    return texts.label(drafts[call.accepted]) if call.accepted < len(drafts) else ""
