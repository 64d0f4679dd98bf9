"""Rules of the house that no single test of a module would notice."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = sorted((ROOT / "ptp_core").rglob("*.py"))
APP = sorted((ROOT / "app").rglob("*.py"))
MOST_FILES, MOST_LINES = 16, 320
PLOTTING = {"charts.py", "curves.py"}  # pages of their own, drawn with Plotly
# A package may import those after it in this list, and the files beside the packages (noise.py, sampling.py, ...).
FLOORS = ("cli", "benchmark", "toys", "training", "maps", "decoding", "storage", "engine", "model")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in [*CORE, *APP]}


def imported_modules(path: Path, inside_functions: bool = True):
    """Full names of what a file imports: modules, or names of modules."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]

    def visit(node: ast.AST):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef) and not inside_functions:
                continue
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                parents = package.split(".")
                base = parents[: len(parents) - child.level + 1] if child.level else []
                whole = ".".join([*base, *([child.module] if child.module else [])])
                for alias in child.names:
                    yield f"{whole}.{alias.name}" if f"{whole}.{alias.name}" in MODULES else whole
            yield from visit(child)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")))


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles of a graph that a search through it meets."""
    done: set[str] = set()
    found: list[list[str]] = []

    def walk(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                walk(other, [*trail, name])
            done.add(name)

    for name in graph:
        walk(name, [])
    return found


def package_of(module: str) -> str:
    """ "decoding" for ptp_core.decoding.session; "" for files beside the packages."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_knows_nothing_of_the_app(path):
    roots = {name.split(".")[0] for name in imported_modules(path)}
    assert not roots & {"app", "gradio", *(() if path.name in PLOTTING else ("plotly",))}


def test_no_imports_in_a_circle():
    graph = {
        name: {other for other in imported_modules(path, inside_functions=False) if other in MODULES and other != name}
        for name, path in MODULES.items()
    }
    assert len(graph) > 100 and circles(graph) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_packages_import_downwards_only(path):
    own = package_of(module_of(path))
    if own:
        others = {package_of(name) for name in imported_modules(path) if name.startswith("ptp_core.")}
        assert {o for o in others if o and o != own and FLOORS.index(o) < FLOORS.index(own)} == set()


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
    assert len(CORE) > 90
    assert {module_of(p): n for p in CORE if (n := len(p.read_text().splitlines())) > MOST_LINES} == {}


def test_folders_stay_small():
    files = Counter(p.parent for p in [*CORE, *APP] if p.name != "__init__.py")
    assert {str(folder): n for folder, n in files.items() if n > MOST_FILES} == {}


# From the top: a file may import what stands on its own floor in its own package, and everything below.
APP_FLOORS = (
    ("__main__",), ("main",), ("api",), ("acceptance", "noise", "learn", "tab"), ("race",), ("settings",), ("serving",),
)  # fmt: skip


def app_package(module: str) -> str:
    """ "race" for app.race.view; "" for what is not on the map of floors."""
    parts = module.split(".")
    known = {name for floor in APP_FLOORS for name in floor}
    return parts[1] if len(parts) > 1 and parts[0] == "app" and parts[1] in known else ""


@pytest.mark.parametrize("path", APP, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_app_imports_downwards_only(path):
    floor = {name: i for i, names in enumerate(APP_FLOORS) for name in names}
    own = app_package(module_of(path))
    if own:
        others = {app_package(name) for name in imported_modules(path)} - {"", own}
        assert {other for other in others if floor[other] <= floor[own]} == set()


def test_a_method_or_a_part_is_named_in_few_files():
    """What is special about shallow slots lies in their own files and in the registries."""
    naming = [module_of(path) for path in [*CORE, *APP] if "shallow" in path.read_text(encoding="utf-8").lower()]
    assert 5 < len(naming) <= 15, naming  # slots that draft in turn, and slots that draft at once
