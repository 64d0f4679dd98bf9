"""Rules of the house that no single test of a module would notice."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = sorted((ROOT / "ptp_core").glob("*.py"))


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.name)
def test_the_core_knows_nothing_of_the_app(path):
    roots = {name.split(".")[0] for name in imported_modules(path)}
    assert not roots & {"app", "gradio", *(() if path.name == "report.py" else ("plotly",))}


def test_importing_the_core_has_no_side_effects(tmp_path):
    code = (
        "import ptp_core, sys, torch, os; assert 'gradio' not in sys.modules; "
        "assert torch.initial_seed() == torch.random.default_generator.initial_seed(); assert os.listdir('.') == []"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path), "PTP_LAB_CACHE": str(tmp_path / "cache")}
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "empty",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "cache").exists()


def test_files_stay_readable():
    long = {p.name: n for p in CORE if (n := len(p.read_text().splitlines())) > 320}
    assert long == {}
