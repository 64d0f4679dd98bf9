"""Benchmark results: those that come with the project, live ones while they run, uploaded ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from app.serving.store import Store
from app.serving.uploads import read_json
from ptp_core.benchmark.result import BenchResult
from ptp_core.packed_files import find_packed, plain_name

from .shown import Shown
from .studies import Studies

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "benchmarks"
_KEPT_RESULTS = 60
_GONE = "This result is no longer in memory. Run it again, or upload its file."


class Results(Store[Shown]):
    """The results that one server shows: the files of a folder by their names, and what visitors add by secret ids."""

    def __init__(self, folder: Path = SHIPPED_FOLDER, capacity: int = _KEPT_RESULTS) -> None:
        super().__init__(capacity, _GONE, self._in_folder)
        self._folder = folder
        self.studies = Studies(folder / "studies")

    def names(self) -> list[str]:
        """Names of the folder's results, "default" first."""
        return _readable(self._folder)

    def _in_folder(self, name: str) -> Shown | None:
        if name not in self.names():
            return None
        return _read(find_packed(self._folder, f"{name}.json"))


@lru_cache(maxsize=4)
def _readable(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*.json*"), key=lambda p: (_name(p) != "default", p.name)):
        try:
            _read(path)
        except ValueError:
            continue  # of an older lab
        found.append(_name(path))
    return found


@lru_cache(maxsize=64)
def _read(path: Path) -> Shown:
    return Shown(BenchResult.from_json(path), _name(path), "shipped")


def _name(path: Path) -> str:
    return plain_name(path).removesuffix(".json")


def uploaded(text: str, name: str) -> Shown:
    """An uploaded file's content as a result; ValueError with a sentence if it is none."""
    result = BenchResult.from_dict(read_json(text, "benchmark result"))
    if not result.rows:
        raise ValueError("This benchmark result has no answers in it.")
    return Shown(result, name, "uploaded")
