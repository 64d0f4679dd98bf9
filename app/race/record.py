"""python -m app.race.record: runs the examples' races on this machine and keeps them in assets/races."""

from __future__ import annotations

import gzip
import json

from app.serving.models import ModelChoice, ModelShelf
from app.settings import RunSettings

from .events import RaceRunner
from .examples import EXAMPLES
from .races import RECORDED_FOLDER, Race
from .view import summary_view


def main() -> None:
    """Records every example; identical input gives an identical file but for the measured seconds."""
    runner = RaceRunner(ModelShelf())
    for _ in runner.steps(ModelChoice(), RunSettings.parse(prompt="Hello", max_new_tokens=16), Race()):  # warm-up
        pass
    RECORDED_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (_, prompt) in EXAMPLES.items():
        race = Race()
        for _ in runner.steps(ModelChoice(), RunSettings(prompt), race):
            pass
        content = json.dumps(race.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()
        (RECORDED_FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        summary = summary_view(race)
        speed, why = summary["speedup"], summary["fair"]["why"]
        print(
            f"{name}: {' -> '.join(map(str, summary['fair']['calls']))} calls, "
            f"speed-up {f'{speed:.2f}' if speed else why}, identical: {summary['divergence'] is None}"
        )


if __name__ == "__main__":
    main()
