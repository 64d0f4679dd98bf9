"""What a run freed goes back to the system when the run ends."""

import ctypes
import os
from pathlib import Path

import pytest

from app.serving.line import Line

MB = 1 << 20
BLOCK, BLOCKS = MB // 16, 3200  # 200 MB in blocks that malloc takes from its heap


def resident() -> float:
    """MB of this process that are resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def test_memory_falls_back_when_a_run_ends():
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        pytest.skip("only glibc gives memory back on demand")
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    last = None
    with Line().run("a"):
        blocks = [library.malloc(BLOCK) for _ in range(BLOCKS)]
        for block in blocks:
            ctypes.memset(block, 1, BLOCK)
        last = blocks.pop()  # it stands above the others, so the heap cannot shrink by itself
        for block in blocks:
            library.free(block)
        held = resident()
    assert resident() < held - 100
    library.free(last)
