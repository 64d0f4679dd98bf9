"""The programme of a day with a GPU. It can be stopped at any moment and goes on where it was.

    python -m tools.gpu.day check   --timeout 200 --out OUT [--parts .gpu]
    python -m tools.gpu.day measure --timeout 330 --out OUT [--parts .gpu]
    python -m tools.gpu.day train   --timeout 600 --out OUT [--parts .gpu]
    python -m tools.gpu.day all --tiny --out OUT        a rehearsal on the CPU with a tiny model

A stage that is done is not run again. Every stage gets its share of the time that is left. What it has found is in
OUT every minute, at the deadline (25 s before the timeout) and when the programme is asked to end. A stage that
fails is recorded, and the next one runs. Everything else lies in the store, a folder outside the working tree.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clock import Budget, Clock, Stopped, stopping
from .outbox import MOST_FILES, PART_BYTES, Outbox
from .settings import REAL, TINY, Settings

STORE = Path(tempfile.gettempdir()) / "ptp-gpu"
DONE, RUNNING, CUT, FAILED = "done", "running", "cut short", "failed"


@dataclass(frozen=True)
class Stage:
    """A piece of the programme. weight: its share of the time, beside the weights of the stages behind it."""

    name: str
    weight: float
    run: Callable[[Day, Budget], None]


class Day:
    """Where things lie, what was found, and how much time is left."""

    def __init__(self, clock: Clock, outbox: Outbox, store: Path, settings: Settings, device: str) -> None:
        self.clock, self.outbox, self.store, self.settings, self.device = clock, outbox, store, settings, device
        self.results: dict[str, Any] = {"settings": settings.name, "device": device, "stages": {}}
        if self._state.is_file():
            self.results["stages"] = json.loads(self._state.read_text())["stages"]

    @property
    def parts(self) -> Path:
        return self.store / "parts"

    @property
    def cache(self) -> Path:
        return self.store / "cache"

    @property
    def adapters(self) -> Path:
        return self.store / "adapters"

    @property
    def data(self) -> Path:
        return self.store / "data"

    def run_folder(self, name: str) -> Path:
        """Of one of the settings' trainings."""
        return self.store / "runs" / name

    @property
    def _state(self) -> Path:
        return self.store / "state.json"

    def found(self, stage: str, **values: Any) -> None:
        """Adds to a stage's results; they are in OUT at the next save."""
        self.results["stages"].setdefault(stage, {}).update(values)
        self.tick()

    def tick(self) -> None:
        """To be called between two pieces of work: saves if a minute has passed."""
        if self.outbox.is_due:
            self.save()

    def save(self) -> None:
        self.store.mkdir(parents=True, exist_ok=True)
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(self.results, default=str))
        part.replace(self._state)
        self.results["spent"] = round(self.clock.spent, 1)
        self.outbox.save(self.results, self._records(), self._small_adapters())

    def trained_adapters(self) -> dict[str, Path]:
        """By training: the best adapter of its run by evaluations, or the newest where there was none yet."""
        return self._adapters("adapter", "newest")

    def _small_adapters(self) -> dict[str, Path]:
        """What may come back of them: in eight bits. Where the last was being replaced, the one before."""
        return self._adapters("small", "small.old")

    def _adapters(self, *folders: str) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for training in self.settings.trainings:
            places = (self.run_folder(training.name) / folder for folder in folders)
            there = next((place for place in places if (place / "ptp_config.json").is_file()), None)
            found |= {training.name: there} if there else {}
        return found

    def _records(self) -> list[Path]:
        found = [*sorted(self.store.glob("runs/*/metrics.jsonl")), *sorted(self.store.glob("bench/*"))]
        return [file for file in (*found, self.data / "recipe.json") if file.is_file()]

    def run(self, stages: Sequence[Stage]) -> bool:
        """Runs what is not done yet; True if every stage is done."""
        waiting = [s for s in stages if self.results["stages"].get(s.name, {}).get("state") != DONE]
        with stopping(self.clock):
            name = ""
            try:
                for i, stage in enumerate(waiting):
                    name = stage.name
                    self._run_one(stage, sum(s.weight for s in waiting[i + 1 :]))
            except Stopped as reason:
                self.results["stages"].setdefault(name, {}).update(state=CUT, reason=str(reason))
                print(f"{name}: stopped, {reason}", flush=True)
        self.save()
        return all(self.results["stages"].get(s.name, {}).get("state") == DONE for s in stages)

    def _run_one(self, stage: Stage, others: float) -> None:
        budget, began = self.clock.share(stage.weight, others), time.monotonic()
        print(f"{stage.name}: {budget.left:.0f} s", flush=True)
        self.results["stages"].setdefault(stage.name, {})["state"] = RUNNING
        try:
            stage.run(self, budget)
            state: Mapping[str, Any] = {"state": DONE}
        except Stopped:
            raise
        except Exception as error:  # the next stage may still tell something
            traceback.print_exc()
            state = {"state": FAILED, "reason": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        found = self.results["stages"].setdefault(stage.name, {})
        found.update(**state, seconds=round(time.monotonic() - began, 1))
        print(f"{stage.name}: {found['state']} after {found['seconds']} s", flush=True)
        self.save()


def take_parts(incoming: Path | None, store: Path) -> None:
    """Moves parts that came with this call into the store, where the next call finds them."""
    for part in sorted(incoming.glob("part-*.zip")) if incoming and incoming.is_dir() else ():
        kept = store / "parts" / part.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(".aside")
        shutil.copyfile(part, aside)
        aside.replace(kept)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("check", "measure", "train", "all"))
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds that the machine gives this call")
    parser.add_argument("--out", type=Path, required=True, help="the folder whose files come back")
    parser.add_argument("--most-files", type=int, default=MOST_FILES, help="files that may come back")
    parser.add_argument("--file-bytes", type=int, default=PART_BYTES, help="bytes of a file that comes back")
    parser.add_argument("--parts", type=Path, help="a folder with parts that came with this call")
    parser.add_argument("--store", type=Path, default=STORE, help="where everything else lies")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="rehearse with a tiny model")
    options = parser.parse_args(arguments)
    clock = Clock(options.timeout)
    take_parts(options.parts, options.store)
    settings = TINY if options.tiny else REAL
    outbox = Outbox(options.out, most_files=options.most_files, part_bytes=options.file_bytes)
    day = Day(clock, outbox, options.store, settings, options.device)
    os.environ.setdefault("PTP_LAB_CACHE", str(day.cache))
    os.environ.setdefault("PTP_LAB_ADAPTERS", str(day.adapters))
    os.environ.setdefault("TQDM_DISABLE", "1")
    from .stages import STAGES  # imports torch: the clock runs already

    kinds = STAGES if options.what == "all" else {options.what: STAGES[options.what]}
    whole = day.run([stage for stages in kinds.values() for stage in stages])
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
