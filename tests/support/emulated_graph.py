"""A CUDA graph that is not there: the operations of a function on the CPU, recorded once and replayed.

As a graph does, a replay runs the same operations on the same memory, and no line of Python. So a number that the host
put into the function stays what it was, and a look at a value is refused while the function is captured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_LOOKS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_to_cpu"}


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.name.removeprefix("aten::") in _LOOKS:
            raise RuntimeError(f"{func} in a capture: the host would look at a value.")
        out = func(*args, **kwargs)
        own = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        made = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        fresh = all(t.untyped_storage().data_ptr() not in own for t in made)
        self.steps.append((func, args, kwargs, made if fresh else []))
        return out


def emulated_graph(function: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """As engine.graphs.cuda_graph."""
    with _Recorder() as recorder:
        results = function()

    def replay() -> None:
        for func, args, kwargs, made in recorder.steps:
            out = func(*args, **kwargs)
            if made:
                for old, new in zip(made, tree_leaves(out), strict=True):
                    old.copy_(new)

    return results, torch.inference_mode()(replay)
