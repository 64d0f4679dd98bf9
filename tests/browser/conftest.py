"""The app in a real browser: a server in this process with the tiny model, driven by headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gradio import Blocks
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support.pages import wait_for_gradio
from support.server import free_port
from support.studies import put_study
from support.tab_model import write_adapter, write_blind, write_target
from support.tiny_model import make_adapter, make_results, make_target, make_tokenizer

from app.acceptance.results import Results
from app.main import build_demo, launch_options
from app.serving.models import ModelChoice, ModelShelf
from app.tab.files import TabFiles
from ptp_core.decoding.costs import CostCurve, DraftCosts
from ptp_core.decoding.measure_costs import suppose
from ptp_core.model.ptp_model import PTPModel

expect.set_options(timeout=20_000)  # other tests share the processor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that waits for the processor can be late. Its test is tried once more, and the summary says so."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


class Endless(PTPModel):
    """A model whose texts run to their limit, so that there is always something to see and to stop."""

    eos_tokens = frozenset()


def tiny_model(name=None, adapter=None, *, dtype="auto", progress=ModelChoice) -> PTPModel:
    """Stands in for load_model: the tiny model for the default and "other", an error for a name that is not there."""
    if name not in (None, "other"):
        raise FileNotFoundError(f"There is no model folder {name!r}, and it is no hub id either.")
    progress(0.5, "loading the tiny model")
    found = make_adapter()
    model = Endless(
        make_target(context=512), make_tokenizer(), replace(found, config=replace(found.config, name="tiny")),
        name=name or "tiny",
    )  # fmt: skip
    # drafts pay, whatever else runs here
    suppose(model, curve=CostCurve((1, 64), (10.0, 11.0)), shallow=DraftCosts(10.0, 0.1, 0.2))
    return model.eval()


@pytest.fixture(scope="session")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model's results in place of those that come with the lab."""
    folder = tmp_path_factory.mktemp("benchmarks")
    make_results(folder, tiny_model(progress=lambda share, text: None))
    put_study(folder)
    return folder


@pytest.fixture(scope="session")
def results(benchmarks: Path) -> Results:
    """The results that the server shows."""
    return Results(benchmarks)


@pytest.fixture(scope="session")
def shelf() -> ModelShelf:
    """The models of the server."""
    return ModelShelf(tiny_model)


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> TabFiles:
    """The model that runs in the browser."""
    folder = tmp_path_factory.mktemp("tab-page")
    target = write_target(folder / "target")
    adapters = {"ptp": write_adapter(folder / "ptp", target), "blind": write_blind(folder / "blind", target)}
    return TabFiles(target, adapters)


@pytest.fixture(scope="session")
def demo(results: Results, shelf: ModelShelf, tab: TabFiles) -> Blocks:
    """The app that the server shows."""
    return build_demo(shelf, results, tab)


@pytest.fixture(scope="session")
def url(demo: Blocks, tab: TabFiles) -> Iterator[str]:
    options = {**launch_options(tab), "prevent_thread_lock": True, "quiet": True, "server_port": free_port()}
    _, address, _ = demo.launch(**options)
    yield address
    demo.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = (
        os.environ.get("CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if path is None:
        pytest.fail("There is no Chromium on this machine; `make test` installs one, or set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


AXE = "axe-core@4.10.3"


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The source of axe-core, brought by npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("This check needs npm, which brings axe-core: install npm, or deselect the test.")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run([npm, "pack", AXE], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"npm could not bring {AXE}: {done.stderr.strip()[-300:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, url: str) -> Iterator[OpenPage]:
    """open_page(query="", width=1320, height=800, calm=True) -> a page with a race on it; errors fail the test."""
    contexts, errors = [], []

    def open_(query: str = "", width: int = 1320, height: int = 800, calm: bool = True, wait: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce" if calm else "no-preference",
            accept_downloads=True,
        )  # fmt: skip
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url + query)
        if wait:
            page.wait_for_selector(".ptp-race .ptp-token")
            wait_for_gradio(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
