"""Rules of the house for the browser's modules: small, checked by types, imports go down only, text stays text."""

from __future__ import annotations

import re

import pytest

from app import modules
from app.joined import joined
from app.shared import shared

SOURCES = {name: text.decode() for name, text in modules.sources().items()}
WRITTEN = sorted(set(SOURCES) - {"core/shared.js"})  # the server makes that one
FOLDERS = {"core": set(), "charts": {"core"}}  # folder: those that it may import; a page may import both
COLUMNS, LINES = 120, 250


def folder_of(module: str) -> str:
    return module.split("/")[0]


IMPORTS = {module: modules.imports(module) for module in SOURCES}


@pytest.mark.parametrize("module", WRITTEN)
def test_a_module_is_short_and_checked_by_types(module):
    lines = SOURCES[module].splitlines()
    assert lines[0] == "// @ts-check"
    assert lines[1].startswith("// "), "says what it is for"
    assert len(lines) <= LINES
    assert [i for i, line in enumerate(lines, 1) if len(line) > COLUMNS] == []


@pytest.mark.parametrize("module", WRITTEN)
def test_imports_exist_and_go_down(module):
    own = folder_of(module)
    allowed = {own, *FOLDERS.get(own, {"core", "charts"})}
    for other in IMPORTS[module]:
        assert other in SOURCES, f"{module} imports {other}, which is not there"
        assert folder_of(other) in allowed, f"{module} imports {other}, which is not below it"


def test_no_module_imports_itself_by_a_detour():
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for other in IMPORTS[module]:
                walk(other, (*trail, module))
            done.add(module)

    for module in SOURCES:
        walk(module, ())


def test_every_module_is_used():
    entries = {module for module in SOURCES if module.endswith("/index.js")} | {"core/tickets.js"}
    used = {other for found in IMPORTS.values() for other in found}
    assert set(SOURCES) - used - entries == set()


@pytest.mark.parametrize("module", WRITTEN)
def test_text_never_becomes_markup(module):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment", SOURCES[module]
    )


@pytest.mark.parametrize("module", WRITTEN)
def test_one_file_knows_the_short_keys(module):
    keys = r"\.(?:pr|lo|hi|om|xm|ex|tpc|tpc_i|mal|acc|ms_i|speed_i|hf|by_category)\b"
    found = re.findall(keys, SOURCES[module])
    assert bool(found) == (module == "core/wire.js")


def test_what_python_shares_has_types():
    declared = (modules.STATIC / "core" / "shared.d.ts").read_text(encoding="utf-8")
    assert set(re.findall(r"export const (\w+):", declared)) == set(shared())
    assert set(re.findall(r"^export const (\w+) =", SOURCES["core/shared.js"], re.M)) == set(shared())


def test_one_answer_holds_all_modules_and_every_page_asks_for_it_at_once():
    text = modules.joined_module().decode()
    assert all(f'"{name}": () => {{' in text for name in SOURCES if not name.startswith(modules.WORKER))
    assert f'href="{modules.address(modules.JOINED)}"' in modules.preload()
    for page in ("race", "noise", "acceptance", "learn"):
        assert modules.address(modules.JOINED) in modules.mount(f"{page}/index.js")


def test_a_form_of_import_or_export_that_cannot_be_joined_is_refused():
    sources = {"a.js": "", "b.js": "export default 1;\n"}
    for text in (
        'import b, { c as d } from "./b.js";',
        "export let x = 1;",
        'export * from "./b.js";',
        'import * as b from "./b.js";',
        'import "./b.js";',
    ):
        with pytest.raises(ValueError, match="cannot be joined"):
            joined({**sources, "a.js": text})
    with pytest.raises(ValueError, match="imports d"):
        joined({"a.js": 'import { d } from "./b.js";\n', "b.js": "export const c = 1, d = 2;\n"})
    with pytest.raises(ValueError, match=r"a\.js > b\.js > a\.js"):
        joined({"a.js": 'import { x } from "./b.js";', "b.js": 'import { y } from "./a.js";'})
