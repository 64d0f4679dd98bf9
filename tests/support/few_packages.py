"""Python with torch, transformers, numpy, safetensors and accelerate alone, as a machine that is lent may have it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("torch", "transformers", "numpy", "safetensors", "accelerate")
NOT_THERE = {"pydantic", "pydantic_core", "platformdirs"}  # even where one of the five has come to require them
BLOCKER = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def with_dependencies(names: tuple[str, ...]) -> set[str]:
    """The packages and all that they require here, optional extras left out."""
    found, waiting = set(), list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            needs = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue  # not for this platform
        found.add(name)
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def blocked_modules() -> set[str]:
    """All that is installed here and that the five do not bring."""
    allowed = with_dependencies(NEEDED)
    owned = {
        module: {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
        for module, owners in packages_distributions().items()
    }
    return {module for module, owners in owned.items() if not owners & allowed} | NOT_THERE


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code in the root of the checkout. Home and cache are in the folder."""
    whole = f"BLOCKED = {sorted(blocked_modules())!r}\n{BLOCKER}{code}"
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    places = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder), "PTP_LAB_CACHE": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", whole], cwd=ROOT, env={**threads, **places, **environment}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
