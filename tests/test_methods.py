"""The table of methods, and that nothing beside it keeps a list of its own."""

import ast
from pathlib import Path

import pytest

import ptp_core
from ptp_core.__main__ import main
from ptp_core.benchmark.config import BenchConfig
from ptp_core.decoding.drafters import DRAFTERS
from ptp_core.methods import METHODS, OPTIONS, OUTSIDE_METHODS, RACED, SWEPT_FIELDS, TABLE, method_called

CORE = Path(ptp_core.__file__).parent


def test_the_table_is_whole():
    assert set(DRAFTERS) == set(METHODS)
    assert ptp_core.METHODS == METHODS
    assert set(RACED) == set(METHODS) - {"ar"}
    assert set(METHODS) | set(OUTSIDE_METHODS) == set(TABLE)
    for name, row in TABLE.items():
        assert row.name == name and row.label and row.short and row.sentence.endswith(".")
        assert len(row.sentence.split()) <= 25
        assert set(row.options) <= set(OPTIONS) and set(row.swept) <= set(SWEPT_FIELDS)
    for part in ("label", "short", "sentence"):
        assert len({getattr(row, part) for row in TABLE.values()}) == len(TABLE), f"two methods share a {part}"


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
