"""Shared fixtures: the tiny model, with and without adapters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core.decoding import measure_costs as cost
from ptp_core.model.ptp_model import PTPModel

# tiny models gain nothing from a second thread, and two wait for each other beside other programs
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

# the last bit of a product may hang on where its numbers lie in memory, and some tests compare bits
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def pytest_report_header() -> str:
    """What the tests take."""
    return f"torch: {torch.get_num_threads()} thread(s)"


@pytest.fixture(autouse=True, scope="session")
def _own_measurements(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Cost curves of tiny models must not land in the user's cache."""
    folder = tmp_path_factory.mktemp("measurements")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "measurements_folder", lambda: folder)
        yield


MakeModel = Callable[..., PTPModel]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """make_model(seed=0, adapter=..., quick=False, **adapter changes) -> PTPModel; built once per arguments."""
    built: dict[str, PTPModel] = {}

    def make(
        seed: int = 0, adapter: bool = True, quick: bool = False, context: int = 128, **changes: object
    ) -> PTPModel:
        key = repr((seed, adapter, quick, context, sorted(changes.items())))
        if key not in built:
            found = make_adapter(**changes) if adapter else None  # type: ignore[arg-type]
            target = make_target(seed, context=context)
            built[key] = PTPModel(target, make_tokenizer(), found, name="tiny", quick=quick).eval()
        return built[key]

    return make


@pytest.fixture(scope="session")
def tiny(make_model: MakeModel) -> PTPModel:
    return make_model()


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """The tiny model in transformers' layout on disk, as a hub download would be."""
    folder = tmp_path / "tiny-llama"
    make_target().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
