"""The texts of a small target: Python files of pinned, permissively licensed packages.

sources.json names each package with its file, hash and licence. The same files give the same texts everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SMALLEST, LARGEST = 400, 100_000  # bytes of a file: shorter ones say little, longer ones are mostly tables
PER_PACKAGE = 6_000_000  # characters of one package at most, so that none sets the style of all
HELD_OUT = 100  # one file in so many is held out
_LONGEST_LINE = 300
_LICENCE = re.compile(r"copyright|licen[cs]e|all rights reserved", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One package: its name and version, the file on the package index, the file's sha256, its licence."""

    name: str
    version: str
    file: str
    sha256: str
    license: str


def sources() -> list[Source]:
    """The packages of the recipe, by name."""
    return [Source(**row) for row in json.loads(Path(__file__).with_name("sources.json").read_text())]


def fetch(folder: Path, chosen: Sequence[Source]) -> list[Path]:
    """The packages' files in this folder; pip brings those that are missing.

    RuntimeError if one cannot be had, or is another file than the recipe's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source in chosen:
        if not (folder / source.file).is_file():
            wanted = f"{source.name}=={source.version}"
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            done = subprocess.run([*command, "-d", str(folder), wanted], capture_output=True, text=True, check=False)
            if done.returncode or not (folder / source.file).is_file():
                raise RuntimeError(f"pip could not bring {wanted}: {done.stderr.strip() or 'another file came'}")
        found = hashlib.sha256((folder / source.file).read_bytes()).hexdigest()
        if found != source.sha256:
            raise RuntimeError(f"{source.file} is not the recipe's file: its sha256 is {found}.")
    return [folder / source.file for source in chosen]


def read_texts(files: Sequence[Path], per_package: int = PER_PACKAGE) -> tuple[list[str], list[str]]:
    """Texts to train on and held-out texts of these wheels, in an order that depends on the texts alone.

    A text that occurs twice counts once. Hashes of the texts decide which are held out.
    """
    found: dict[str, str] = {}
    for file in files:
        own = {hashlib.sha256(text.encode()).hexdigest(): text for text in _python_texts(file)}
        taken = 0
        for key in sorted(own):
            if taken < per_package and key not in found:
                found[key] = own[key]
                taken += len(own[key])
    train: list[str] = []
    held_out: list[str] = []
    for key in sorted(found):
        (held_out if int(key[-8:], 16) % HELD_OUT == 0 else train).append(found[key])
    return train, held_out


def _python_texts(wheel: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".py") and SMALLEST <= entry.file_size <= LARGEST:
                text = clean(archive.read(entry))
                if text is not None:
                    yield text


def clean(raw: bytes) -> str | None:
    """The text of a Python file without the licence above it; None for what is no readable code.

    Tables, generated lines and texts that are not ASCII for the most part are left out.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    lines = [line.rstrip() for line in text.split("\n")]
    head = next((i for i, line in enumerate(lines) if line and not line.startswith("#")), len(lines))
    if _LICENCE.search("\n".join(lines[:head])):
        lines = lines[head:]
    text = "\n".join(lines).strip("\n") + "\n"
    if len(text) < SMALLEST or max(map(len, lines)) > _LONGEST_LINE:
        return None
    letters = sum(map(str.isalpha, text))
    if letters < 0.4 * len(text) or sum(map(str.isascii, text)) < 0.98 * len(text):
        return None
    return re.sub(r"\n{4,}", "\n\n\n", text)
