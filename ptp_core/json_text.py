"""JSON that comes from outside: what is wrong with it is said in one sentence."""

from __future__ import annotations

import json
from typing import Any


def too_large(what: str, most: int) -> str:
    """The end of a sentence about a file that is too large."""
    return f"is larger than {most >> 20} MB, too large for a {what}."


def parse_json(content: str | bytes, what: str, most: int) -> Any:
    """The value of a file's content. what names the kind of file in sentences: "trace"; most: its bytes.

    ValueError with a sentence if the content is too large, not text, not whole JSON, or nested too deeply.
    """
    if len(content) > most:
        raise ValueError(f"This file {too_large(what, most)}")
    try:
        return json.loads(content if isinstance(content, str) else content.decode())
    except UnicodeDecodeError:
        raise ValueError(f"This file is not text, so it is no {what}.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"This file is not whole JSON (it breaks at character {error.pos}).") from None
    except RecursionError:
        raise ValueError(f"This file is nested too deeply to be a {what}.") from None
