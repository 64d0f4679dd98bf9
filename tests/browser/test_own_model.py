"""A visitor's own model goes with them to the other pages of a tab, and with no link."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def load(page, name):
    if not page.locator("#ptp-model-load").is_visible():
        page.click("#ptp-model > button")
    page.fill("#ptp-model-name textarea, #ptp-model-name input", name)
    page.click("#ptp-model-load")


@pytest.mark.slow
def test_a_model_of_ones_own_goes_to_the_other_pages_and_into_no_link(open_page):
    page = open_page()
    load(page, "other")
    expect(page.locator("#ptp-model-status")).to_contain_text("other is loaded")
    page.fill("#ptp-prompt textarea", "abc hg")
    page.click("#ptp-run")
    page.wait_for_function("PTPLab.raceState.meta?.model === 'other' && !PTPLab.raceState.live")
    assert "prompt" not in page.url, "a link leads to the default model, so there is none"
    page.click(".ptp-header nav a:text('Noise')")
    page.wait_for_function("window.PTPLab?.noiseState?.now?.meta.model === 'other'")
    assert page.evaluate("PTPLab.noiseState.now.meta.prompt") == "abc hg", "the text comes, by the same model"
    page.click("#ptp-model > button")
    expect(page.locator("#ptp-model-status")).to_contain_text("your own model, too: other")
    page.wait_for_function("!PTPLab.noiseState.busy")
    page.click(".ptp-header nav a:text('Acceptance')")
    page.wait_for_selector(".ptp-table td")
    page.click("#ptp-bench > button")
    expect(page.get_by_label("Model", exact=True)).to_have_value("other")
    page.goto(page.url.replace("acceptance", "?prompt=abc&seed=3"))
    page.wait_for_function("window.PTPLab?.raceState?.meta?.prompt === 'abc' && !PTPLab.raceState.live")
    assert page.evaluate("PTPLab.raceState.meta.model") == "tiny", "a link from elsewhere means the default"
    page.goto(page.url.split("?")[0])
    load(page, "")
    expect(page.locator("#ptp-model-status")).to_contain_text("tiny is loaded")
    assert page.evaluate("sessionStorage['ptp-model']") is None
