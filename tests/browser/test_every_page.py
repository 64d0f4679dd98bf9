"""What holds for every page: a heading, a title and description of its own, and nothing that axe-core calls serious."""

import urllib.request

import pytest
from playwright.sync_api import expect
from support.pages import serious

from app.main import PAGES, heads

pytestmark = pytest.mark.browser

READY = {
    "": ".ptp-race .ptp-token", "noise": ".nz-token", "acceptance": ".ptp-acceptance svg", "learn": ".learn-svg > *",
}  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_heading_and_a_title_of_its_own(open_page, path):
    page = open_page(path, wait=False)
    page.wait_for_selector(READY[path])
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    title, description = heads()[path]
    expect(page).to_have_title(title)
    for selector in ("meta[name=description]", 'meta[property="og:description"]'):
        assert page.locator(selector).evaluate_all("nodes => nodes.map(n => n.content)") == [description]
    assert page.locator('meta[property="og:title"]').evaluate_all("nodes => nodes.map(n => n.content)") == [title]


def test_titles_are_there_without_a_script(url):
    texts = {path: urllib.request.urlopen(url + path).read().decode() for path in PAGES}
    assert all(texts[path].count("<title>") == 1 and heads()[path][1] in texts[path] for path in PAGES)
    assert len({title for title, _ in heads().values()}) == len(PAGES)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "noise", "acceptance"])
def test_axe_finds_nothing_serious(open_page, axe, path, theme):
    page = open_page(f"{path}?__theme={theme}", wait=False)
    page.wait_for_selector(READY[path])
    page.wait_for_timeout(500)
    if not path:  # what lies in the future of the replay is pale on purpose, so the clock goes to the end
        page.wait_for_function("PTPLab.raceState.lanes.ar.steps.length === 64")
        page.click('[data-do="last"]')
        page.wait_for_function("PTPLab.raceState.lanes.ar.shown === 64")
    assert serious(page, axe) == []


def test_the_dice_has_a_name(open_page):
    page = open_page()
    page.get_by_role("button", name="New seed").click()
    page.wait_for_function("document.querySelector('#ptp-seed input').value !== '7'")


@pytest.mark.parametrize(
    ("path", "root"), [("", ".ptp-race"), ("noise", ".ptp-noise"), ("acceptance", ".ptp-acceptance")]
)
def test_a_page_can_be_presented(open_page, path, root):
    page = open_page(path, wait=False, width=1366, height=768)
    page.wait_for_selector(READY[path])
    page.click('[data-do="present"]')
    box = page.locator(root).bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1366, 768)
    assert page.evaluate("document.querySelector('header').closest('[inert]') !== null")
    page.keyboard.press("Escape")
    expect(page.locator(".is-presenting")).to_have_count(0)
    page.click('[data-do="present"]')
    page.click('[data-do="leave"]')
    assert page.evaluate("document.querySelector('[inert]')") is None
