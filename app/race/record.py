"""python -m app.race.record: runs the examples' races on this machine and keeps them in assets/races."""

from __future__ import annotations

import json

from app.serving.models import ModelChoice, ModelShelf, model_for
from app.settings import RunSettings
from ptp_core.packed_files import packed
from ptp_core.storage.built_in import is_here

from .events import RaceRunner
from .examples import EXAMPLES
from .races import RECORDED_FOLDER, Race, recording_of
from .view import summary_view


def main() -> None:
    """Records every example; identical input gives an identical file but for the measured seconds."""
    runner = RaceRunner(ModelShelf())
    RECORDED_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, example in EXAMPLES.items():
        if not is_here(example.model):
            continue
        choice = model_for(ModelChoice(), example.model)
        warm_up = RunSettings.parse(prompt="Hello", max_new_tokens=16)
        race = Race()
        for _ in (*runner.steps(choice, warm_up, Race()), *runner.steps(choice, RunSettings(example.prompt), race)):
            pass
        content = json.dumps(race.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()
        recording_of(name).write_bytes(packed(content, recording_of(name).suffix))
        summary = summary_view(race)
        speed, why = summary["speedup"], summary["fair"]["why"]
        print(
            f"{name}: {' -> '.join(map(str, summary['fair']['calls']))} calls, "
            f"speed-up {f'{speed:.2f}' if speed else why}, identical: {summary['divergence'] is None}"
        )


if __name__ == "__main__":
    main()
