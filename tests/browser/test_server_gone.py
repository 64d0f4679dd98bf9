"""The server is killed in the middle of runs: every page says so, and comes back by itself when the server is back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.lab_process import LabProcess
from support.server import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG = {"timeout": 60_000}  # other tests share the processor, and a server starts
RUNNING = "PTPLab.raceState.live"


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def lab(port):
    """A server that runs and can be killed."""
    process = LabProcess(port)
    process.start()
    yield process
    process.close()


@pytest.fixture
def visit(browser, port):
    contexts = []

    def open_(path: str) -> Page:
        contexts.append(browser.new_context(reduced_motion="reduce"))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{port}/{path}")
        return page

    yield open_
    for context in contexts:
        context.close()


def ask(page: Page, prompt: str) -> Page:
    page.wait_for_selector(".ptp-race .ptp-token, .ptp-noise .nz-token")
    page.fill("#ptp-prompt textarea", prompt)
    page.fill("#ptp-seed input", "21")
    page.click("#ptp-run")
    return page


def test_killed_in_the_middle_every_page_says_so_and_comes_back(lab, visit):
    running = ask(visit(""), "abc")
    running.wait_for_function(RUNNING)
    waiting = ask(visit("noise"), "hgf")
    expect(waiting.locator(".ptp-banner")).to_contain_text("yours is the next run", **LONG)
    bench = visit("acceptance")
    bench.wait_for_selector(".ptp-table td")
    bench.click("#ptp-bench > button")
    bench.click("#ptp-bench-run")
    learn = visit("learn#sharpen.3")
    learn.locator("#sharpen .learn-trainer button").first.click()
    says = learn.locator(".learn-trainer .learn-says")
    expect(says).to_contain_text("before yours", **LONG)
    lab.kill()
    for banner in (*(page.locator(".ptp-banner.is-error") for page in (running, waiting, bench)), says):
        expect(banner).to_contain_text("The server cannot be reached", **LONG)
        expect(banner).to_contain_text("comes back by itself", **LONG)
    lab.start()
    # a race and a text are asked for again, with their settings, whether they ran or waited
    for page, prompt in ((running, "abc"), (waiting, "hgf")):
        expect(page.locator(".ptp-banner.is-busy")).to_contain_text(re.compile("Waiting|Starting|Decoding"), **LONG)
        expect(page.locator("#ptp-prompt textarea")).to_have_value(prompt, **LONG)
        expect(page.locator("#ptp-seed input")).to_have_value("21", **LONG)
    # what cannot be asked for again is said to have ended
    expect(bench.locator(".ptp-banner.is-info")).to_contain_text("loaded anew while your run was under way", **LONG)
    learn.wait_for_selector("#sharpen .learn-svg > *", state="attached")
    expect(learn.locator(".learn-trainer .learn-says")).to_contain_text(
        "loaded anew while your run was under way", **LONG
    )
    assert learn.url.endswith("#sharpen.3")


def test_a_run_that_ends_the_server_each_time_is_not_asked_for_again_for_ever(lab, visit):
    page = ask(visit(""), "abc")
    page.wait_for_function(RUNNING)
    for again in (True, False):
        page.evaluate("window.before = true")
        lab.kill()
        lab.start()
        page.wait_for_function(f"!window.before && window.PTPLab{f' && {RUNNING}' if again else ''}")
    expect(page.locator(".ptp-banner.is-info")).to_contain_text("Run it again", **LONG)
    expect(page.locator("#ptp-prompt textarea")).to_have_value("abc", **LONG)
    assert not page.evaluate(RUNNING)
