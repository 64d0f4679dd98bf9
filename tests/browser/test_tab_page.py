"""The page whose model runs in the browser: typing, needles, the square, the replay, without a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page, expect
from support.pages import serious
from support.server import free_port
from support.tab_model import read_model

from app.tab.export import write_copy
from app.tab.files import TabFiles
from ptp_core.decoding.decode import generate
from ptp_core.model.ptp_model import PTPModel
from ptp_core.noise import NoiseTape
from ptp_core.sampling import SamplingConfig

pytestmark = pytest.mark.browser

SAMPLING = SamplingConfig(0.7, 50, 0.95, "token_id")
LANES = "PTPLab.tabState.lanes"
Open = Callable[..., Page]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def model(tab: TabFiles) -> PTPModel:
    """The same model on the server."""
    return read_model(tab.target, tab.adapters["ptp"])


def opened(open_page: Open, query: str = "tab", **look: int) -> Page:
    page = open_page(query, wait=False, **look)
    page.wait_for_selector(".tab-code .ptp-token")
    settled(page)
    return page


def settled(page: Page) -> list[int]:
    """Waits until both lanes show the same text, and returns its tokens."""
    same = f"{LANES}.ar && {LANES}.ptp && {LANES}.ar.ids.join() === {LANES}.ptp.ids.join()"
    page.wait_for_function(f"PTPLab.tabState.ready && {same}")
    return page.evaluate(f"{LANES}.ar.ids")


def written(page: Page, model: PTPModel, prompt: str, edits: dict[int, float] | None = None) -> None:
    """Waits until the page shows what the server writes."""
    count = page.evaluate("Number(document.querySelector('[aria-label=\"Tokens\"]').value)")
    trace = generate(model, model.encode(prompt), "ar", NoiseTape(7, edits or {}), SAMPLING, max_new_tokens=count)
    page.wait_for_function(f"(ids) => {LANES}.ar.ids.join() === ids", arg=",".join(map(str, trace.tokens)))
    assert settled(page) == trace.tokens


def test_what_is_typed_is_continued_as_the_server_would(open_page, model):
    page = opened(open_page)
    page.fill("#tab-prompt", "import os\n")
    written(page, model, "import os\n")
    page.focus("#tab-prompt")
    page.keyboard.press("Control+End")
    page.keyboard.type("def f(x):", delay=5)
    written(page, model, "import os\ndef f(x):")
    expect(page.locator("[data-lane=ar] .ptp-lane-head")).to_contain_text("32 tokens · 32 calls")
    expect(page.locator("[data-lane=ptp] .ptp-lane-head")).to_contain_text("✓ the same 32 tokens")


def test_a_needle_rewrites_what_follows(open_page, model):
    page = opened(open_page)
    page.fill("#tab-prompt", "x = ")
    written(page, model, "x = ")
    before = page.evaluate(f"{LANES}.ar.ids")
    page.click('[data-lane=ar] button[data-position="2"]')
    page.locator(".tab-strip").scroll_into_view_if_needed()
    box = page.locator(".tab-strip").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.03 * box["width"], box["y"] + 40, steps=6)
    page.mouse.up()
    page.wait_for_function("PTPLab.tabState.u === null")
    u = page.evaluate("PTPLab.tabState.edits[2]")
    assert 0.01 < u < 0.05
    written(page, model, "x = ", {2: u})
    after = page.evaluate(f"{LANES}.ar.ids")
    assert after[:2] == before[:2] and after != before
    expect(page.locator("[data-lane=ar] .is-edited")).to_have_count(1)
    assert page.locator("[data-lane=ar] button.is-changed").count() >= 1
    page.click('[data-do="resetAll"]')
    written(page, model, "x = ")


def test_the_needle_and_the_tokens_obey_the_keyboard(open_page, model):
    page = opened(open_page)
    page.fill("#tab-prompt", "return ")
    written(page, model, "return ")
    page.focus('[data-lane=ar] button[data-position="0"]')
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.position") == "2"
    strip = page.locator(".tab-strip")
    strip.focus()
    page.keyboard.press("Home")
    written(page, model, "return ", {2: 0.0})
    expect(strip).to_have_attribute("aria-valuenow", "0.0000")
    page.keyboard.press("PageUp")
    written(page, model, "return ", {2: 0.1})
    assert strip.get_attribute("aria-valuetext").startswith("0.1000, ")


def test_it_needs_no_network_once_it_is_here(open_page, model):
    page = opened(open_page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.fill("#tab-prompt", "for i in ")
    written(page, model, "for i in ")
    page.locator(".tab-square summary").click()
    expect(page.locator(".tab-picture")).to_have_count(3)
    assert [url for url in asked if "/tab/" in url] == []


def test_the_square_is_drawn_and_takes_both_numbers(open_page, model):
    page = opened(open_page)
    page.fill("#tab-prompt", "class ")
    written(page, model, "class ")
    page.locator(".tab-square summary").click()
    pictures = page.locator(".tab-picture")
    expect(pictures).to_have_count(3)
    expect(page.locator(".tab-squares figcaption").nth(1)).to_contain_text("right on")
    box = pictures.first.bounding_box()
    pictures.first.click(position={"x": 0.25 * box["width"], "y": 0.9 * box["height"]})
    edits = page.evaluate("PTPLab.tabState.edits")
    assert (edits["0"], edits["1"]) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.1, abs=0.01))
    written(page, model, "class ", {0: edits["0"], 1: edits["1"]})


def test_slots_without_u_draft_too(open_page, model):
    page = opened(open_page)
    page.fill("#tab-prompt", "x = ")
    written(page, model, "x = ")
    calls = page.evaluate(f"{LANES}.ptp.tokens.map((token) => token.source)")
    page.select_option('[aria-label="Drafts by"]', "blind")
    page.wait_for_function(f"(old) => {LANES}.ptp.tokens.map((t) => t.source).join() !== old", arg=",".join(calls))
    written(page, model, "x = ")


def test_the_race_is_replayed_call_by_call(open_page):
    page = opened(open_page)
    page.select_option('[aria-label="Tokens"]', "16")
    page.wait_for_function(f"{LANES}.ptp.ids.length === 16")
    page.click('[data-do="play"]')
    page.wait_for_function("PTPLab.tabState.head >= 3")
    head = page.evaluate("PTPLab.tabState.head")
    assert 0 < page.locator("[data-lane=ar] button.is-future").count() <= 16 - head + 1
    page.click('[data-do="play"]')
    assert page.evaluate("PTPLab.tabState.head") is None
    expect(page.locator(".is-future")).to_have_count(0)
    expect(page.locator(".tab .ptp-spoken")).to_contain_text("16 calls one by one")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious(open_page, axe, theme):
    page = opened(open_page, f"tab?__theme={theme}")
    page.locator(".tab-square summary").click()
    expect(page.locator(".tab-picture")).to_have_count(3)
    assert serious(page, axe) == []


def test_a_phone_shows_all_without_scrolling_sideways(open_page):
    page = opened(open_page, width=390, height=844)
    page.locator(".tab-square summary").click()
    expect(page.locator(".tab-picture")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = page.locator(".tab .ptp-panel").evaluate_all("nodes => nodes.map((n) => n.getBoundingClientRect().right)")
    assert len(boxes) == 5 and max(boxes) <= 390


def test_a_text_that_is_too_long_keeps_its_end(open_page, model):
    page = opened(open_page)
    page.fill("#tab-prompt", "x = 1\n" * 250)
    room = model.max_context - 32
    ids = model.encode("x = 1\n" * 250)
    ids = ids[-(-(len(ids) - room) // 64) * 64 :]
    assert room - 64 < len(ids) <= room
    trace = generate(model, ids, "ar", NoiseTape(7), SAMPLING, max_new_tokens=32)
    page.wait_for_function(f"(ids) => {LANES}.ar.ids.join() === ids", arg=",".join(map(str, trace.tokens)))


def test_an_empty_prompt_begins_a_text(open_page):
    page = opened(open_page)
    page.fill("#tab-prompt", "")
    page.wait_for_function(f"{LANES}.ar.ids.length > 0")
    expect(page.locator(".ptp-banner.is-error")).to_have_count(0)


def test_the_lab_serves_a_copy_at_an_address_of_its_own(open_page, model):
    page = opened(open_page)
    with page.expect_popup() as opening:
        page.get_by_role("link", name="Keep a copy").click()
    copy = opening.value
    copy.wait_for_function("navigator.serviceWorker.ready.then((one) => one.scope.endsWith('/copy/'))")
    copy.fill("#tab-prompt", "import re\n")
    written(copy, model, "import re\n")
    page.reload()
    assert page.evaluate("navigator.serviceWorker.controller") is None


def test_a_copy_opens_again_without_a_network(browser, tab, model, tmp_path):
    """The folder behind a plain web server, at a path of its own; then the server goes."""
    write_copy(tab, tmp_path / "some" / "where")
    handler = partial(Quiet, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_address[1]}/some/where/")
    page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    page.wait_for_function("caches.keys().then((names) => names.length === 1)")
    server.shutdown()
    server.server_close()
    page.reload()
    page.fill("#tab-prompt", "import re\n")
    written(page, model, "import re\n")
    context.close()
