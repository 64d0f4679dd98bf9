"""The tiny model by the engine, and the same model without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core.engine.engine import Engine
from ptp_core.model.ptp_model import PTPModel

MakePair = Callable[..., tuple[PTPModel, PTPModel]]


def build(dtype: torch.dtype, adapter: bool, context: int, **changes: Any) -> PTPModel:
    found = make_adapter(**changes) if adapter else None
    return PTPModel(make_target(context=context).to(dtype), make_tokenizer(), found, name="tiny").eval()


@pytest.fixture(scope="session")
def make_pair() -> MakePair:
    """make_pair(dtype=..., adapter=True, context=128, **changes) -> a model without and one with an engine."""
    built: dict[str, tuple[PTPModel, PTPModel]] = {}

    def make(
        dtype: torch.dtype = torch.float32, adapter: bool = True, context: int = 128, **changes: Any
    ) -> tuple[PTPModel, PTPModel]:
        key = repr((dtype, adapter, context, sorted(changes.items())))
        if key not in built:
            plain, by_engine = (build(dtype, adapter, context, **changes) for _ in range(2))
            by_engine.engine = Engine(by_engine)
            built[key] = plain, by_engine
        return built[key]

    return make
