"""A function of static buffers: run as it is, or captured once and replayed, on CUDA as a graph."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

T = TypeVar("T")
Capture = Callable[[Callable[[], Any]], tuple[Any, Callable[[], None]]]  # function -> its results, and what replays it
_WARM_UP = 2  # runs before a capture: libraries set themselves up at their first use
_capturing = threading.Lock()


def cuda_graph(function: Callable[[], T], pool: Any = None) -> tuple[T, Callable[[], None]]:
    """Captures the function's kernels; a replay fills the same results anew.

    pool: memory that graphs share which never run at a time, and leave nothing in it that is read later.
    """
    with _capturing:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                function()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            results = function()
    return results, graph.replay


class Replayed(Generic[T]):
    """Runs a function and returns what it returned.

    With a capture, the first run captures and later ones replay. The results are then the same tensors each time,
    filled anew. So the function must read and write buffers that stay, and the host must not look at them.
    """

    def __init__(self, function: Callable[[], T], capture: Capture | None) -> None:
        self._function, self._capture = function, capture
        self._results: T
        self._replay: Callable[[], None] | None = None

    def __call__(self) -> T:
        if self._capture is None:
            return self._function()
        if self._replay is None:
            self._results, self._replay = self._capture(self._function)
        self._replay()
        return self._results
