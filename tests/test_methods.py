"""The table of methods, and that nothing beside it keeps a list of its own."""

import ast
import re
from pathlib import Path

import pytest

import ptp_core
from ptp_core.__main__ import main
from ptp_core.benchmark.config import BenchConfig
from ptp_core.decoding.drafters import DRAFTERS
from ptp_core.methods import (
    BASELINE,
    BLIND_METHOD,
    METHODS,
    OPTIONS,
    OUTSIDE_METHODS,
    RACED,
    SETS,
    SWEPT_FIELDS,
    TABLE,
    method_called,
)

CORE = Path(ptp_core.__file__).parent
ROOT = CORE.parent


def test_the_table_is_whole():
    assert set(DRAFTERS) == set(METHODS)
    assert ptp_core.METHODS == METHODS
    assert set(RACED) == {name for name in METHODS if name != "ar" and TABLE[name].needs != "parallel"}
    assert set(METHODS) | set(OUTSIDE_METHODS) == set(TABLE)
    for name, row in TABLE.items():
        assert row.name == name and row.label and row.short and row.sentence.endswith(".")
        assert len(row.sentence.split()) <= 25
        assert set(row.options) <= set(OPTIONS) and set(row.swept) <= set(SWEPT_FIELDS)
    for part in ("label", "short", "sentence"):
        assert len({getattr(row, part) for row in TABLE.values()}) == len(TABLE), f"two methods share a {part}"


def test_sets_hold_methods_and_are_called_like_none():
    assert set(SETS) & set(TABLE) == set()
    for name, methods in SETS.items():
        assert methods[0] == BASELINE and len(set(methods)) == len(methods) and set(methods) <= set(TABLE), name
    assert set(TABLE) - set(SETS["all"]) == {"hf_assisted"}
    assert SETS["counted"] == ("ar", "pqd", "shallow", "independent", "prompt_lookup")
    assert SETS["slots"] == ("ar", "pqd", "shallow", "independent")
    ahead = ("shallow", "shallow_lookup", "parallel_shallow", "parallel_shallow_lookup")
    assert SETS["timed"] == ("ar", "pqd", *ahead, "prompt_lookup")
    assert SETS["blind"] == (BASELINE, BLIND_METHOD)


def test_every_swept_field_is_a_setting_of_the_benchmark():
    assert set(SWEPT_FIELDS) <= set(vars(BenchConfig()))


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="Unknown method 'magic'; methods: ar, ptp, pqd"):
        method_called("magic")
    with pytest.raises(ValueError, match="hf_generate"):
        method_called("hf_generate")
    assert method_called("ar") is TABLE["ar"]


def test_an_unknown_method_is_refused_before_a_model_loads(capsys, monkeypatch):
    loaded = []
    monkeypatch.setattr("ptp_core.storage.load.load_model", lambda *a, **k: loaded.append(a))
    for command in (["generate", "abc", "--method", "magic"], ["bench", "--prompt", "abc", "--methods", "ar,magic"]):
        assert main(command) == 1
        assert "magic" in capsys.readouterr().err
    assert loaded == []


def literals_with_methods(source: str) -> list[set[str]]:
    """Tuples, lists, sets and dicts in a source that hold three names of methods or more."""
    found = []
    for node in ast.walk(ast.parse(source)):
        items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
        named = {item.value for item in items if isinstance(item, ast.Constant)} & set(TABLE)
        found += [named] if len(named) > 2 else []
    return found


def test_nothing_else_in_the_core_lists_the_methods():
    kept = {CORE / "methods.py", CORE / "decoding" / "drafters" / "__init__.py"}
    sources = {path: path.read_text(encoding="utf-8") for path in CORE.rglob("*.py") if path not in kept}
    assert {str(path): lists for path, text in sources.items() if (lists := literals_with_methods(text))} == {}
    assert literals_with_methods('x = ("ar", "ptp", "pqd")') == [{"ar", "ptp", "pqd"}]


# Where a method is named to say what it is: its drafter, the function of its name, the code outside that it calls.
NAMING = ("ptp_core/methods.py", "ptp_core/decoding/", "ptp_core/benchmark/transformers_peers.py")
# Where the same word is the name of something else. "shallow" is a part of adapters as well, "independent" a variant.
OTHERS = {
    "ar": {"app/static/core/shared.d.ts"},  # a lane
    "ptp": {"app/race/races.py", "app/static/core/shared.d.ts", "ptp_core/model/attention.py"},  # a lane, a kernel
    "pqd": {"app/learn/record.py", "app/learn/recordings.py"},  # a recording
}
LANES = ("app/tab/", "app/static/tab/")  # the tab has two lanes of its own, and no menu of methods


def words_of(path: Path, text: str) -> set[str]:
    """The quoted words of a source in Python or JavaScript, or those of a Makefile's lists; prose is left out."""
    if path.suffix == ".py":
        parts = [str(n.value) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)]
    elif path.suffix in (".js", ".ts"):
        parts = [quoted[1:-1] for quoted in re.findall(r"""\"[^"\n]*"|'[^'\n]*'|`[^`\n]*`""", text)]
    else:
        parts = re.findall(r"(?:--methods|:=) (\S+)", text)
    return {word for part in parts if re.fullmatch(r"[\w,]+", part) for word in part.split(",")}


def test_a_method_is_named_in_its_own_files_only():
    paths = [*(p for top in ("ptp_core", "app", "tools") for p in (ROOT / top).rglob("*")), ROOT / "Makefile"]
    paths = [p for p in paths if p.suffix in (".py", ".js", ".ts") or p.name == "Makefile"]
    names = set(TABLE) - {"shallow", "independent"}
    found = {}
    for path in paths:
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith((*NAMING, "app/static/learn/chapters/", *LANES)):  # chapters name their recordings
            named = words_of(path, path.read_text(encoding="utf-8")) & names
            found[place] = {name for name in named if place not in OTHERS.get(name, ())}
    assert {place: named for place, named in found.items() if named} == {}


def test_a_named_method_would_be_found():
    assert words_of(Path("a.py"), 'x = ["ar", "b"]') == {"ar", "b"}
    assert "pqd" in words_of(Path("a.js"), "const x = lane === 'ar' ? `pqd` : 0;")
    assert {"ar", "pqd"} <= words_of(Path("Makefile"), "\tbench --methods ar,pqd --limit 2\n")
    assert "ptp" in words_of(Path("Makefile"), "METHODS := ar,ptp\n")
