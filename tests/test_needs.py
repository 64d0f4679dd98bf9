"""What the core needs to be imported and to decode: torch, transformers, numpy, safetensors and accelerate."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NOT_THERE = {"pydantic", "pydantic_core", "platformdirs"}  # even where one of the five has come to require them
NEEDED = ("torch", "transformers", "numpy", "safetensors", "accelerate")
BLOCKER = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""
DECODE = """
sys.path.insert(0, "tests")
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer
from ptp_core import METHODS, NoiseTape, PTPModel, generate
model = PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny").eval()
texts = {tuple(generate(model, [3, 4, 5], method, NoiseTape(1), max_new_tokens=8).tokens) for method in METHODS}
assert len(texts) == 1, texts
"""


def with_dependencies(names):
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


def blocked_modules():
    allowed = with_dependencies(NEEDED)
    normal = {
        module: {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
        for module, owners in packages_distributions().items()
    }
    return {module for module, owners in normal.items() if not owners & allowed} | NOT_THERE


def run(code, tmp_path, blocked):
    whole = f"BLOCKED = {sorted(blocked)!r}\n{BLOCKER}{code}"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path), "PTP_LAB_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", whole]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_blocked_ones_are_those_we_mean():
    blocked = blocked_modules()
    assert {"pydantic", "platformdirs", "gradio", "plotly", "gguf"} <= blocked
    assert not blocked & {"torch", "transformers", "numpy", "safetensors", "accelerate", "tqdm", "filelock"}


@pytest.mark.parametrize("code", [DECODE, "import tools.gpu.stages, tools.gpu.models"], ids=["decode", "programme"])
def test_five_packages_are_enough(code, tmp_path):
    done = run(code, tmp_path, blocked_modules())
    assert done.returncode == 0, done.stderr


def test_the_blocker_blocks(tmp_path):
    done = run("import pydantic", tmp_path, blocked_modules())
    assert "No module named 'pydantic'" in done.stderr
