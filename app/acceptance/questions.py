"""The questions behind one bar of an exhibit, and what each of them contributes to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptp_core.benchmark.rows import Row

from .exhibits import exhibit_of
from .look import Look

_MOST = 60  # questions in one answer; the others are counted
_PROMPT, _TEXT = 240, 240  # characters


def questions_view(look: Look, exhibit: str, index: int, link: Callable[[Row], str | None]) -> dict[str, Any]:
    """The questions with a part in bar `index` of this exhibit, largest part first.

    link(row) is the query of a row's race. ValueError with a sentence for a bar that is not there.
    """
    prompts = {q.question_id: q.prompt for q in look.shown.result.questions}
    found = sorted(
        exhibit_of(exhibit).behind(look, index), key=lambda pair: (-pair[1].count, pair[0].question_id)
    )  # fmt: skip
    return {
        "total": len(found),
        "questions": [
            {
                "id": row.question_id,
                "category": row.category,
                "prompt": prompts.get(row.question_id, "")[:_PROMPT],
                "text": row.text[:_TEXT],
                "right": part.right,
                "count": part.count,
                "says": part.says,
                "tokens": row.num_tokens,
                "calls": row.num_calls,
                "seed": row.seed,
                "link": link(row),
            }
            for row, part in found[:_MOST]
        ],
    }
