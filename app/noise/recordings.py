"""Maps that come with the lab: those of the Noise page's first text at its most telling token.

    python -m app.noise.recordings

draws them with the default model and keeps them in assets/noise.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from app.race.examples import FIRST_TEXT
from app.race.races import recorded_race
from app.serving.models import ModelChoice, ModelShelf
from ptp_core.maps.staircase import Staircase
from ptp_core.maps.sweep import Sweep
from ptp_core.maps.unit_square import UnitSquare
from ptp_core.trace import Emitted

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "noise"
RUN = f"recorded:{FIRST_TEXT}"
_TYPES: dict[str, Any] = {"square": UnitSquare, "sweep": Sweep, "staircase": Staircase}
_AMONG = 24  # tokens of the text's beginning


def telling_position() -> int:
    """Of the first text's first tokens, one that had about even odds and several rivals: there noise matters."""
    tokens = recorded_race(FIRST_TEXT).reference.emitted[:_AMONG]

    def odds(token: Emitted) -> float:
        return abs(token.prob - 0.5) + (0 if len(token.candidates) > 2 else 1)

    return min(tokens, key=odds).position


@cache
def recorded_maps() -> Mapping[str, Any]:
    """The maps by their kinds; {} where none were recorded."""
    path = FOLDER / f"{FIRST_TEXT}.json.gz"
    if not path.exists():
        return {}
    data = json.loads(gzip.decompress(path.read_bytes()))
    if data["position"] != telling_position():  # of another text
        return {}
    return {kind: TypeAdapter(_TYPES[kind]).validate_python(found) for kind, found in data["maps"].items()}


def recorded_map(choice: ModelChoice, run: str, kind: str, position: int) -> Any:
    """The recorded map that is asked for, or None."""
    mine = (choice, run, position) == (ModelChoice(), RUN, telling_position())
    return recorded_maps().get(kind) if mine else None


def main() -> None:
    """Draws the maps with the default model and writes them."""
    from .events import NoiseRunner

    runner, position = NoiseRunner(ModelShelf()), telling_position()
    maps: dict[str, Any] = {}
    trace = recorded_race(FIRST_TEXT).reference
    for kind in _TYPES:
        for part in runner.compute(ModelChoice(), kind, trace, position):
            if isinstance(part, tuple):
                maps[kind] = part[1]
    data = {"position": position, "maps": {kind: asdict(found) for kind, found in maps.items()}}
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    (FOLDER / f"{FIRST_TEXT}.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))
    print(f"token {position + 1}: {', '.join(maps)}")


if __name__ == "__main__":
    main()
