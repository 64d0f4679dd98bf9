"""What holds for every page: a heading, a title and description of its own, and nothing that axe-core calls serious."""

import urllib.request

import pytest
from playwright.sync_api import expect
from support.pages import serious

from app.main import PAGES, TAB, heads

pytestmark = pytest.mark.browser

READY = {
    "": ".ptp-race .ptp-token", "noise": ".nz-token", "acceptance": ".ptp-acceptance svg", "learn": ".learn-svg > *",
    TAB: ".tab-code .ptp-token",
}  # fmt: skip


PRESENTED = {"": ".ptp-race", "noise": ".ptp-noise", "acceptance": ".ptp-acceptance", TAB: ".tab"}  # Learn has its own


@pytest.mark.parametrize("path", READY)
def test_a_page_has_one_heading_a_title_of_its_own_and_can_be_presented(open_page, path):
    page = open_page(path, wait=False, width=1366, height=768)
    page.wait_for_selector(READY[path])
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    title, description = heads()[path]
    expect(page).to_have_title(title)
    for selector in ("meta[name=description]", 'meta[property="og:description"]'):
        assert page.locator(selector).evaluate_all("nodes => nodes.map(n => n.content)") == [description]
    assert page.locator('meta[property="og:title"]').evaluate_all("nodes => nodes.map(n => n.content)") == [title]
    if path in PRESENTED:
        present(page, PRESENTED[path])


def present(page, root):
    """Enters the presentation and leaves it, by the key and by the button."""
    page.click('[data-do="present"]')
    box = page.locator(root).bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1366, 768)
    assert page.evaluate("document.querySelector('header').closest('[inert]') !== null")
    page.keyboard.press("Escape")
    expect(page.locator(".is-presenting")).to_have_count(0)
    page.click('[data-do="present"]')
    page.click('[data-do="leave"]')
    assert page.evaluate("document.querySelector('[inert]')") is None


def test_titles_are_there_without_a_script(url):
    texts = {path: urllib.request.urlopen(url + path).read().decode() for path in READY}
    assert all(texts[path].count("<title>") == 1 and heads()[path][1] in texts[path] for path in READY)
    assert len({title for title, _ in heads().values()}) == len(READY) == len(PAGES) + 1


@pytest.mark.parametrize(
    ("path", "theme"),
    [
        ("", "light"),
        ("noise", "dark"),
        ("acceptance", "light"),
        *(
            pytest.param(*rest, marks=pytest.mark.slow)
            for rest in [("", "dark"), ("noise", "light"), ("acceptance", "dark")]
        ),
    ],
)
def test_axe_finds_nothing_serious(open_page, axe, path, theme):
    page = open_page(f"{path}?__theme={theme}", wait=False)
    page.wait_for_selector(READY[path])
    page.wait_for_timeout(500)
    if not path:  # a call in the middle of the replay: most of the text is still to come
        page.wait_for_function("PTPLab.raceState.lanes.ar.steps.length === 64")
        assert page.locator(".is-ar .ptp-token.is-future").count() > 32
    assert serious(page, axe) == []
    if not path:
        page.click('[data-do="last"]')
        page.wait_for_function("PTPLab.raceState.lanes.ar.shown === 64")
        assert serious(page, axe) == []


def test_the_dice_has_a_name(open_page):
    page = open_page()
    page.get_by_role("button", name="New seed").click()
    page.wait_for_function("document.querySelector('#ptp-seed input').value !== '7'")


@pytest.mark.parametrize("path", ["", "noise", "acceptance"])
def test_every_page_opens_the_glossary_and_links_to_a_chapter(open_page, path):
    page = open_page(path, wait=False, width=1500, height=900)  # narrower headers leave the sentence out
    word, card = page.locator(".ptp-header .ptp-term").first, page.locator(".ptp-card b")
    word.click()
    expect(card).to_be_visible()
    page.wait_for_selector(READY[path])  # the page grows below it
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    page.locator(".ptp-explained").click()
    page.wait_for_selector(".learn-step.is-active")
    assert "/learn#" in page.url


def test_a_card_follows_its_word_and_closes_where_the_word_leaves_the_screen(open_page):
    page = open_page("acceptance", wait=False, width=1500, height=900)
    page.wait_for_selector(READY["acceptance"])
    word, card = page.locator(".ptp-header .ptp-term").first, page.locator(".ptp-card")
    word.click()
    gap = card.bounding_box()["y"] - word.bounding_box()["y"]
    page.mouse.wheel(0, 15)
    page.wait_for_function("scrollY === 15")
    expect(card).to_be_visible()
    page.wait_for_timeout(100)
    assert card.bounding_box()["y"] - word.bounding_box()["y"] == gap
    page.mouse.wheel(0, 600)
    expect(card).to_have_count(0)


NEVER_COVERED = """() => {
  window.seen = window.covered = 0;
  const look = () => {
    const word = document.querySelector(".ptp-header .ptp-term"), box = word?.getBoundingClientRect();
    if (box?.width) {
      window.seen++;
      if (document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2) !== word) window.covered++;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def test_a_word_tapped_while_the_page_loads_opens_its_card(browser, url):
    """The lab's own scripts come late, and nothing of Gradio's covers the word at any time."""
    context = browser.new_context(viewport={"width": 1500, "height": 900})
    page, held = context.new_page(), []
    page.add_init_script(f"({NEVER_COVERED})()")
    page.route("**/lab.js", lambda route: held.append(route))
    page.goto(url, wait_until="commit")
    page.locator(".ptp-header .ptp-term").first.click()
    assert page.locator(".ptp-card").count() == 0
    for route in held:
        route.continue_()
    page.unroute("**/lab.js")
    expect(page.locator(".ptp-card b")).to_be_visible()
    page.wait_for_selector(READY[""])
    assert page.evaluate("[window.seen > 3, window.covered]") == [True, 0]
    context.close()
