"""What comes back from the machine: results, records and adapters, in few files of a limited size.

    python -m tools.gpu.outbox open FOLDER --into FOLDER --start ADAPTER     # once the files are there

Of adapters that were trained further only the trained parts come back; the others are copied from the start.
results.json holds all figures and the hashes of the adapters' parts; records.zip the runs' metrics and benchmark
rows; adapters.tar.1, .2, ... the newest adapters. All files of one save are written aside first and then renamed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ptp_core.model.parts import PARTS

PART_BYTES = 15 << 20  # of a file
MOST_FILES = 8
RESULTS, RECORDS, ADAPTERS = "results.json", "records.zip", "adapters.tar"
EVERY = 60.0  # seconds between two saves


class Outbox:
    """Writes into the folder whose files come back: at most `most_files`, of at most `part_bytes` each."""

    def __init__(
        self,
        folder: Path,
        every: float = EVERY,
        now: Callable[[], float] = time.monotonic,
        *,
        most_files: int = MOST_FILES,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._folder, self._every, self._now = folder, every, now
        self._most_files, self._part_bytes = most_files, part_bytes
        self._last = now()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_due(self) -> bool:
        return self._now() - self._last >= self._every

    def save(self, results: Mapping[str, Any], records: Iterable[Path], adapters: Mapping[str, Path]) -> None:
        """Replaces what lies in the folder. What does not fit is named in results.json and stays behind.

        Of the adapters, folders by name, the first ones go first. ValueError where not even the first one fits.
        """
        room = self._most_files - 2  # results and records have one each
        sent = dict(adapters)
        while len(parts := _split(_as_tar(sent), self._part_bytes)) > room:
            if len(sent) == 1:
                raise ValueError(f"The adapter needs {len(parts)} files; {room} can come back.")
            sent.popitem()
        zipped, left_out = _as_zip(records, self._part_bytes)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
        told = {**results, "adapter_parts": hashes, "records_left_out": left_out}
        told["adapters_left_out"] = [name for name in adapters if name not in sent]
        files = {RECORDS: zipped, **parts, RESULTS: json.dumps(told, indent=1, default=str).encode()}
        aside = {name: self._folder / f".{name}.part" for name in files}
        for name, data in files.items():
            aside[name].write_bytes(data)
        for name, path in aside.items():
            path.replace(self._folder / name)
        for old in self._folder.glob(f"{ADAPTERS}.*"):
            if parts and old.name not in parts:
                old.unlink()
        self._last = self._now()


def open_outbox(folder: Path, into: Path, start: Path | None = None) -> dict[str, Any]:
    """Unpacks each adapter into into/adapters/NAME and the records into into/records; returns the results.

    start: the folder of the day's own adapter, which has the parts that were not trained.
    Raises ValueError where parts of the adapters are missing or come from two saves.
    """
    results: dict[str, Any] = json.loads((folder / RESULTS).read_text())
    with zipfile.ZipFile(folder / RECORDS) as archive:
        archive.extractall(into / "records")
    names = sorted(results["adapter_parts"], key=lambda name: int(name.rpartition(".")[2]))
    whole = b""
    for name in names:
        data = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if hashlib.sha256(data).hexdigest() != results["adapter_parts"][name]:
            raise ValueError(f"{name} is not there, or it belongs to another save.")
        whole += data
    if names:
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            archive.extractall(into / "adapters", filter="data")
        for adapter in (into / "adapters").iterdir():
            _complete(adapter, start)
    return results


def _complete(adapter: Path, start: Path | None) -> None:
    """Copies the files of the parts that the adapter's configuration names and its folder lacks."""
    told = adapter / "ptp_config.json"
    config = json.loads(told.read_text()) if told.is_file() else {}
    for part in PARTS.values():
        there = start / part.file if start is not None else None
        if config.get(part.setting) and not (adapter / part.file).is_file() and there is not None and there.is_file():
            shutil.copyfile(there, adapter / part.file)


def _as_tar(folders: Mapping[str, Path]) -> bytes:
    """Nothing where there is no folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, folder in folders.items():
            for file in sorted(folder.iterdir()):
                if not file.name.startswith("."):
                    archive.add(file, f"{name}/{file.name}")
    return out.getvalue() if folders else b""


def _split(data: bytes, size: int) -> dict[str, bytes]:
    starts = range(0, len(data), size)
    return {f"{ADAPTERS}.{i + 1}": data[start : start + size] for i, start in enumerate(starts)}


def _as_zip(files: Iterable[Path], room: int) -> tuple[bytes, list[str]]:
    """The files that fit into an archive of `room` bytes, and the names of the others."""
    out, left_out = io.BytesIO(), []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            name = f"{file.parent.name}/{file.name}"
            before = out.tell()
            if file.stat().st_size < room:  # it can only shrink
                archive.write(file, name)
                room -= out.tell() - before
            else:
                left_out.append(name)
    return out.getvalue(), left_out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    opening = parser.add_subparsers(dest="command", required=True).add_parser("open")
    opening.add_argument("folder", type=Path)
    opening.add_argument("--into", type=Path, required=True)
    opening.add_argument("--start", type=Path, help="the adapter that the day began with, stored in eight bits")
    options = parser.parse_args(arguments)
    results = open_outbox(options.folder, options.into, options.start)
    stages = {name: found.get("state") for name, found in results.get("stages", {}).items()}
    print(json.dumps(stages, indent=1))


if __name__ == "__main__":
    main()
