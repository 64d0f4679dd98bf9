"""What the types of a result's rows cannot say: whether counts fit each other, in numbers that can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..methods import BASELINE
from .questions import Question
from .rows import Call, Row, baseline_point

_ROUNDING = 1e-3
_LARGEST = 1e9


def check_rows(rows: Sequence[Row], questions: Sequence[Question]) -> None:
    """ValueError with a sentence for a row that no run can have written, or that stands there twice."""
    asked, known = {question.question_id for question in questions}, set[tuple[str, str, str]]()
    for row in rows:
        key = (row.question_id, row.method, row.point)
        if key in known or row.question_id not in asked:
            why = "there twice" if key in known else "of no question in this result"
            raise ValueError(f"The row of question {row.question_id}, {row.method}, is {why}.")
        known.add(key)
        if not _fits(row):
            raise ValueError(f"The row of question {row.question_id}, {row.method}, is damaged: its counts do not fit.")
        if not all(map(_is_call, row.calls)) or not _in_order(row):
            raise ValueError(f"The row of question {row.question_id}, {row.method}, is damaged at a call.")
    texts = {(row.question_id, row.point): row.tokens for row in rows if row.method == BASELINE}
    for row in rows:
        text = texts.get((row.question_id, baseline_point(row.point)))
        if text and row.tokens and row.identical_to_ar is not None and row.identical_to_ar != (row.tokens == text):
            raise ValueError(f"The row of question {row.question_id}, {row.method}, is wrong about its text.")


def _fits(row: Row) -> bool:
    """Lists of one text agree in length, and numbers can be."""
    lengths = {len(row.tokens), len(row.entropy), len(row.margin), len(row.classes)} if row.calls else set()
    lengths |= {len(row.likeliest)} if row.likeliest else set()
    numbers = [row.seconds, *row.entropy, *(margin for margin in row.margin if margin is not None)]
    whole = not lengths - {row.num_tokens} and row.num_tokens >= 0 and row.num_calls >= 0
    return whole and _between(numbers, -_ROUNDING, _LARGEST) and (not row.calls or len(row.calls) == row.num_calls)


def _is_call(call: Call) -> bool:
    counted = 0 <= call.accepted <= len(call.confidences) == len(call.right) and set(call.right) <= set("01-")
    shares = [*call.confidences, *(branch.probability for branch in call.branches)]
    slots = [number for branch in call.branches for number in (branch.num_assumed, branch.num_slots)]
    sizes = [call.positions, call.emitted, call.ms, call.expected, *slots]
    return counted and _between(shares, -_ROUNDING, 1 + _ROUNDING) and _between(sizes, -_ROUNDING, _LARGEST)


def _in_order(row: Row) -> bool:
    """Whether each call begins where the calls before it ended."""
    place = 0
    for call in row.calls:
        if call.start != place:
            return False
        place += call.emitted
    return not row.calls or place == row.num_tokens


def _between(numbers: Iterable[float], low: float, high: float) -> bool:
    return all(low <= number <= high for number in numbers)
