"""What Python and the browser both know: one source, which the browser imports as core/shared.js."""

from __future__ import annotations

import json
from typing import Any

from ptp_core.json_text import too_large
from ptp_core.methods import AHEAD, LOOKUP, TABLE
from ptp_core.storage.built_in import BUILT_IN

from .learn.events import MAX_SEED
from .race.examples import examples_of
from .race.races import BASELINE, PARALLEL
from .serving.theme import STATUS
from .serving.uploads import LARGEST
from .settings import ASKED, U_DIGITS


def shared() -> dict[str, Any]:
    """The values by the names under which core/shared.js exports them; app/static/core/shared.d.ts has their types."""
    return {
        "STATUS": {status: {"glyph": glyph, "says": says} for status, (glyph, _, says) in STATUS.items()},
        "LARGEST": {what: {"bytes": most, "says": too_large(what, most)} for what, most in LARGEST.items()},
        "U_DIGITS": U_DIGITS,
        "ASKED": list(ASKED),
        "EXAMPLES": {model: [example.prompt for example in examples_of(model).values()] for model in BUILT_IN},
        "MAX_SEED": MAX_SEED,
        "BASELINE": BASELINE,
        "PARALLEL": PARALLEL,
        "METHODS": {
            name: {
                "short": row.short,
                "sentence": row.sentence,
                "between": row.sentence if row.drafts in (AHEAD, LOOKUP) else None,
            }
            for name, row in TABLE.items()
        },
    }


def shared_module() -> bytes:
    """The text of core/shared.js."""
    lines = [f"export const {name} = {json.dumps(value, ensure_ascii=False)};\n" for name, value in shared().items()]
    return "".join(lines).encode()
