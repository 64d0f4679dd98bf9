"""Folders of the small random model, written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tab_model import write_adapter, write_blind, write_target


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_target(tmp_path_factory.mktemp("tab") / "target")


@pytest.fixture(scope="session")
def adapter(target: Path) -> Path:
    return write_adapter(target.parent / "ptp", target, chain=24)


@pytest.fixture(scope="session")
def blind(target: Path) -> Path:
    return write_blind(target.parent / "blind", target)
