"""Conversations on disk: reading them, and keeping some of them out of training."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..refusals import reason

_SHARED = 32  # tokens on end that two prompts must have in common to count as sharing a text


@dataclass(frozen=True)
class Conversation:
    """Token ids of prompt and answer, the prompt's length p, the kind of task, the answer's temperature."""

    ids: list[int]
    p: int
    kind: str = "chat"
    temperature: float = 0.7


def load_conversations(folder: str | os.PathLike[str]) -> list[Conversation]:
    """All conversations of a data folder, or of one JSONL file (plain or .gz); ValueError if there are none."""
    path = Path(folder)
    files = sorted(path.glob("shard-*.jsonl.gz")) if path.is_dir() else [path]
    rows: list[Conversation] = []
    for file in files:
        raw = file.read_bytes()
        try:
            for line in (gzip.decompress(raw) if file.suffix == ".gz" else raw).removeprefix(BOM_UTF8).splitlines():
                row = json.loads(line)
                rows.append(Conversation(row["ids"], row["p"], row.get("kind", "chat"), row.get("temperature", 0.7)))
        except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{file} holds no whole conversations: {reason(error)}") from None
    if not rows:
        raise ValueError(f"There are no conversations in {path}.")
    return rows


def split_held_out(rows: Sequence[Conversation], share: float = 0.04) -> tuple[list[Conversation], list[Conversation]]:
    """(training, held-out): by a hash of each conversation, so that more data moves none to the other side.

    Conversations of a shard share passages: one that shares a text with a held-out one is on neither side.
    """
    hashes = (int(hashlib.sha256(repr(row.ids).encode()).hexdigest()[:8], 16) / 2**32 for row in rows)
    held = [found < share for found in hashes]
    apart = _without_shared_texts(rows, held)
    return [r for r, a in zip(rows, apart, strict=True) if a], [r for r, h in zip(rows, held, strict=True) if h]


def _without_shared_texts(rows: Sequence[Conversation], held: Sequence[bool]) -> list[bool]:
    """Which of the rows not held out have no _SHARED tokens on end of their prompt in common with a held-out one's
    prompt. What every prompt begins with (the chat template) does not count."""
    columns = zip(*(row.ids[: row.p] for row in rows), strict=False)  # as long as the shortest prompt
    template = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    runs = [_runs(row.ids[template : row.p]) for row in rows]
    nothing = np.empty(0, np.int64)
    theirs = np.unique(np.concatenate([nothing, *(r for r, h in zip(runs, held, strict=True) if h)]))
    every = np.concatenate([nothing, *runs])
    shared = np.zeros(len(every), bool)
    if len(theirs):
        shared = theirs[np.searchsorted(theirs, every).clip(max=len(theirs) - 1)] == every
    so_far = np.concatenate([[0], shared.cumsum()])  # shared runs before each place
    lengths = np.array([len(r) for r in runs], np.int64)
    ends = lengths.cumsum()
    counts = so_far[ends] - so_far[ends - lengths]
    return [not (h or n) for h, n in zip(held, counts.tolist(), strict=True)]


def _runs(ids: Sequence[int]) -> NDArray[np.int64]:
    """One number for each run of _SHARED tokens: equal for equal runs, else as good as never."""
    if len(ids) < _SHARED:
        return np.empty(0, np.int64)
    return sliding_window_view(np.asarray(ids, np.int64), _SHARED) @ _weights()


@cache
def _weights() -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(-(2**62), 2**62, _SHARED)


def data_sha256(folder: str | os.PathLike[str]) -> str:
    """A hash of the conversations themselves, whatever the compression."""
    digest = hashlib.sha256()
    for row in load_conversations(folder):
        digest.update(json.dumps(asdict(row)).encode())
    return digest.hexdigest()
