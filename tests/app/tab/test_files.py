"""The two files that the page fetches: addresses, headers, and what is shipped."""

from __future__ import annotations

import json
import shutil

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import main
from app.tab import files
from app.tab.files import HEAD, WEIGHTS, TabFiles, shipped
from app.tab.pack import LARGEST
from ptp_core.storage.built_in import BUILT_IN


@pytest.fixture
def tab(target, adapter, blind):
    return TabFiles(target, {"ptp": adapter, "blind": blind})


def test_both_files_are_served_for_good_at_their_versions_address(tab):
    client = TestClient(Starlette(routes=tab.routes()))
    head, weights = (client.get(f"/{tab.address(name)}") for name in (HEAD, WEIGHTS))
    assert head.json()["bytes"] == len(weights.content)
    assert sorted(head.json()["adapters"]) == ["blind", "ptp"]
    for answer in (head, weights):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert weights.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("path", ["{version}/config.json", "abc/head.json", "{version}/../head.json"])
def test_anything_else_is_not_there_and_not_kept(tab, path):
    client = TestClient(Starlette(routes=tab.routes()))
    answer = client.get(f"/{files.PREFIX}/" + path.format(version=tab.version))
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_another_model_has_another_address(tmp_path, tab, target, adapter):
    assert TabFiles(target, {"ptp": adapter}).version != tab.version
    shutil.copytree(target, tmp_path / "same")
    assert TabFiles(tmp_path / "same", tab.adapters).version == tab.version
    config = json.loads((tmp_path / "same" / "config.json").read_text())
    (tmp_path / "same" / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-6}))
    assert TabFiles(tmp_path / "same", tab.adapters).version != tab.version


def test_the_page_is_there_only_where_its_model_is(tmp_path, target, adapter, monkeypatch):
    monkeypatch.setenv("PTP_LAB_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("PTP_LAB_ADAPTERS", str(tmp_path / "adapters"))
    assert shipped() is None
    assert main.TAB not in main.pages(shipped()) and "./tab" not in main.header("", main.pages(shipped()))
    shutil.copytree(target, tmp_path / "models" / files.TARGET)
    assert shipped() is None  # slots need their adapter
    shutil.copytree(adapter, tmp_path / "adapters" / BUILT_IN[files.TARGET].adapter)
    found = shipped()
    assert found is not None and sorted(found.adapters) == ["ptp"]
    assert 'href="./tab"' in main.header("", main.pages(found))


@pytest.mark.skipif(shipped() is None, reason="the small model is not in assets/models")
def test_the_shipped_model_fits_into_the_download():
    found = shipped()
    assert sorted(found.adapters) == ["blind", "ptp"]
    assert len(found.content(HEAD)) + len(found.content(WEIGHTS)) <= LARGEST
