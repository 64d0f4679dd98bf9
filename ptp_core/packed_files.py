"""Files that may be compressed: their names end in .gz or .xz. Equal contents give equal files."""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from pathlib import Path
from typing import IO

SUFFIXES = ("", ".gz", ".xz")


def open_packed(path: str | os.PathLike[str]) -> IO[bytes]:
    """The file, opened to read its unpacked bytes; reading raises what `damaged` knows."""
    opened = {".gz": gzip.open, ".xz": lzma.open}.get(Path(path).suffix, open)
    return opened(path, "rb")  # type: ignore[operator]


def read_packed(path: str | os.PathLike[str], most: int = -1) -> bytes:
    """The unpacked bytes, or as many of them as `most`. ValueError with a sentence for a damaged file."""
    try:
        with open_packed(path) as file:
            return file.read(most)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError):
        raise ValueError("This compressed file is damaged or cut off.") from None


def packed(content: bytes, suffix: str) -> bytes:
    """The content as a file of this suffix holds it."""
    if suffix == ".gz":
        return gzip.compress(content, 9, mtime=0)
    return lzma.compress(content, preset=9 | lzma.PRESET_EXTREME) if suffix == ".xz" else content


def find_packed(folder: Path, name: str) -> Path:
    """The file of this name, plain or compressed. FileNotFoundError if there is none."""
    for suffix in SUFFIXES:
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    raise FileNotFoundError(f"There is no {name} in {folder}.")


def plain_name(path: Path) -> str:
    """The file's name without a suffix of compression."""
    return path.name.removesuffix(path.suffix) if path.suffix in SUFFIXES[1:] else path.name
