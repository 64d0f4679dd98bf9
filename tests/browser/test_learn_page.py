"""The Learn page as a reader uses it: every chapter, by scroll, key, link and slide."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from support.pages import counts, serious, wait_for_gradio

from app.learn.export import write_copy
from app.learn.facts import facts
from app.settings import COUPLING_LABELS

pytestmark = pytest.mark.browser

CHAPTERS = (
    "trick", "one", "roll", "first", "pairs", "sharpen", "flavours", "verify", "branches", "fail", "costs", "turn",
)  # fmt: skip


@pytest.fixture
def open_learn(open_page):
    """open_learn(step="", query="", **options) -> the page at a step with its figure drawn; console errors fail."""
    errors = []

    def open_(step: str = "", query: str = "", **options) -> Page:
        page = open_page(f"learn{query}#{step}" if step else f"learn{query}", wait=False, **options)
        page.on("console", lambda message: errors.append(message.text) if counts(message) else None)
        chapter = (step or "trick").split(".")[0]
        page.wait_for_selector(f"#{chapter} .learn-svg > *", state="attached")
        wait_for_gradio(page)
        return page

    yield open_
    assert errors == []


@pytest.fixture(scope="module")
def one_page(browser: Browser, url: str):
    """The page for tests that use one chapter's figure each, and the errors that it met."""
    context = browser.new_context(viewport={"width": 1320, "height": 800}, reduced_motion="reduce")
    page, errors = context.new_page(), []
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if counts(message) else None)
    page.goto(url + "learn")
    page.wait_for_selector("#trick .learn-svg > *", state="attached")
    wait_for_gradio(page)
    yield page, errors
    context.close()


@pytest.fixture
def at_step(one_page):
    """at_step(step) -> a page at a step with its figure drawn, as open_learn, but one that other tests used before."""
    page, errors = one_page

    def at_step(step: str) -> Page:
        show(page, step)
        return page

    yield at_step
    assert errors == []


def step_of(page: Page) -> str:
    return page.locator(".learn-step.is-active").get_attribute("id") or ""


def at(page: Page, step: str) -> None:
    page.wait_for_function("(step) => document.querySelector('.learn-step.is-active')?.id === step", arg=step)


def show(page: Page, step: str) -> None:
    """Goes to a step by its link and waits for its figure, and for the focus, which goes to another chapter's head."""
    page.evaluate(
        """(step) => location.hash === `#${step}` || new Promise((done) => {
          addEventListener("hashchange", () => done(), { once: true });
          location.hash = step;
        })""",
        step,
    )
    at(page, step)
    page.wait_for_selector(f"#{step.split('.')[0]} .learn-svg > *", state="attached")


def said(page: Page, chapter: str) -> str:
    return page.locator(f"#{chapter} .learn-svg").get_attribute("aria-label") or ""


def fits(page: Page) -> None:
    """Nothing sticks out to the side."""
    wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1]


def test_the_first_figure_is_there_within_a_second_of_a_warm_server(open_learn, browser, url):
    """The best of five readers with empty caches. On a quiet machine, which PTP_LAB_QUIET=1 says, within a second.

    Beside other tests it may take three.
    """
    open_learn()  # warms the server
    seconds = []
    for _ in range(5):
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        start = time.perf_counter()
        page.goto(url + "learn", wait_until="commit")
        page.wait_for_selector("#trick .learn-svg > *", state="attached")
        seconds.append(time.perf_counter() - start)
        context.close()
    print(f"first figure after {min(seconds):.2f} s")
    assert min(seconds) < (1.0 if os.environ.get("PTP_LAB_QUIET") else 3.0)


@pytest.mark.parametrize("look", ["light", "dark", "phone", "slides"])
def test_every_chapter_makes_its_point_untouched(open_learn, look):
    width, height = {"phone": (390, 844), "slides": (1920, 1080)}.get(look, (1320, 800))
    page = open_learn("", "?__theme=dark" if look == "dark" else "", width=width, height=height)
    if look == "slides":
        page.locator(".learn-present").click()
    for chapter in CHAPTERS:
        show(page, f"{chapter}.2")
        figure = page.locator(f"#{chapter} .learn-svg")
        expect(figure).to_be_in_viewport(ratio=0.9)
        assert len(said(page, chapter)) > 40
        assert figure.bounding_box()["width"] > (300 if look == "phone" else 600), chapter
        if look == "slides":
            slide = page.locator(f"#{chapter}\\.2 .learn-slide")
            expect(slide).to_be_visible()
            assert slide.evaluate("n => parseFloat(getComputedStyle(n).fontSize)") >= 28
            assert page.locator(".learn-chapter:visible").count() == 1
        else:
            fits(page)


def test_space_and_arrows_go_through_all_steps_and_the_address_follows(open_learn):
    page = open_learn()
    steps = page.locator(".learn-step").evaluate_all("nodes => nodes.map((n) => n.id)")
    assert len(steps) >= 35
    for step in steps[1:6]:
        page.keyboard.press("Space")
        at(page, step)
        assert page.url.endswith(f"/learn#{step}")
    page.keyboard.press("ArrowLeft")
    at(page, steps[4])
    page.keyboard.press("Shift+Space")
    at(page, steps[3])
    page.keyboard.press("ArrowRight")
    at(page, steps[4])


def test_a_link_opens_its_step_and_scrolling_moves_on(open_learn):
    page = open_learn("pairs.2")
    at(page, "pairs.2")
    assert "nonsense" in said(page, "pairs")
    page.evaluate("location.hash = 'verify'")
    at(page, "verify.1")
    page.wait_for_timeout(800)
    page.mouse.wheel(0, 700)
    at(page, "verify.2")


def test_slides_by_keyboard_with_notes(open_learn):
    page = open_learn("roll.1")
    page.locator("#roll .learn-figure button", has_text="Present from here").click()
    expect(page.locator(".learn.is-presenting")).to_be_visible()
    expect(page.locator(".learn-notes")).to_be_hidden()
    page.keyboard.press("n")
    expect(page.locator(".learn-notes")).to_contain_text("Drag slowly across an edge")
    page.keyboard.press("ArrowRight")
    at(page, "roll.2")
    expect(page.locator("#roll .learn-text").first).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator(".learn.is-presenting")).to_have_count(0)


def test_the_keyboard_alone_reaches_every_figure_s_control(open_learn):
    """From chapter to chapter by arrow, to each lit control by Tab, and one key there changes the figure."""
    page = open_learn()
    focused = "document.activeElement"
    for chapter in CHAPTERS:
        while not step_of(page).startswith(chapter):
            before = step_of(page)
            if page.evaluate(f"{focused}.matches('input')"):
                page.keyboard.press("Tab")  # arrows move a slider, so the reader leaves it first
            page.keyboard.press("ArrowRight")
            page.wait_for_function("(id) => document.querySelector('.learn-step.is-active').id !== id", arg=before)
        page.wait_for_selector(f"#{chapter} .learn-svg > *", state="attached")
        lit = f"{focused}.closest('#{chapter}') && {focused}.matches(" + (
            "'[data-key^=bin]')" if chapter == "fail" else "'.learn-lit, .learn-choice button')"
        )
        for _ in range(20 if chapter == "trick" else 12):  # the header's links come before the first
            page.keyboard.press("Tab")
            if page.evaluate(lit):
                break
        else:
            pytest.fail(f"Tab does not reach the control of {chapter}.")
        outline = page.evaluate(f"getComputedStyle({focused}).outlineStyle")
        assert outline != "none", chapter  # and a reader sees where the keyboard is
        before = page.locator(f"#{chapter} .learn-host").inner_html()
        if chapter == "turn":
            page.keyboard.press("Enter")
            page.wait_for_selector(".ptp-race .ptp-token")
            assert "prompt=" in page.url
        else:
            slides = page.evaluate(f"{focused}.type === 'range'")
            page.keyboard.press("ArrowRight" if slides else "Enter")
            page.wait_for_function(
                "([id, html]) => document.querySelector(`#${id} .learn-host`).innerHTML !== html",
                arg=[chapter, before],
            )
            assert step_of(page).startswith(chapter), "a key at a control turned the page"


def test_each_figure_has_one_lit_control(open_learn):
    page = open_learn("turn.1")
    for chapter in CHAPTERS:
        show(page, f"{chapter}.2")
        lit = page.locator(f"#{chapter} .learn-lit:visible")
        groups = {
            node.evaluate("n => n.closest('.learn-choice') ? 'bets' : n.className + n.textContent")
            for node in lit.all()
        }
        assert len(groups) == 1, chapter


def test_a_guess_is_answered(at_step):
    page = at_step("one.1")
    page.locator("#one .learn-guess button", has_text="All six").click()
    expect(page.locator("#one .learn-answer")).to_contain_text("Not quite.")
    page.locator("#one .learn-guess button", has_text="One").click()
    expect(page.locator("#one .learn-answer")).to_contain_text("Yes.")


def test_dotted_words_open_their_cards(at_step):
    page = at_step("roll.1")
    word = page.locator("#roll .ptp-term", has_text="slice").first
    word.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".ptp-card")).to_contain_text("wide as the token is likely")
    page.keyboard.press("Escape")
    expect(page.locator(".ptp-card")).to_have_count(0)
    word.hover()
    expect(page.locator(".ptp-card")).to_be_visible()
    page.mouse.move(5, 5)
    expect(page.locator(".ptp-card")).to_have_count(0)


def test_six_calls_one_after_the_other(at_step):
    page = at_step("one.1")
    call = page.locator("#one .learn-lit")
    for number in range(1, 7):
        call.click()
        assert said(page, "one").startswith(f"{number} of 6" if number < 6 else "Six calls")


def test_the_needle_by_keyboard_and_the_rain(at_step):
    page = at_step("roll.1")
    needle = page.locator("#roll input[type=range]")
    needle.focus()
    page.keyboard.press("End")
    assert said(page, "roll").startswith("u = 1.00")
    page.keyboard.press("Home")
    assert 'slice of "door"' in said(page, "roll")
    page.locator("#roll button", has_text="Roll 200 times").click()
    expect(page.locator("#roll .learn-svg")).to_have_attribute("aria-label", re.compile("200 rolls"))
    assert step_of(page) == "roll.1"  # arrows on the needle do not turn the page


def test_a_die_by_keyboard_changes_nothing_before_it(at_step):
    page = at_step("first.1")
    before = said(page, "first")
    page.locator("#first [data-key=die4]").focus()
    page.keyboard.press("Enter")
    assert page.locator("#first [data-key=die4]").evaluate("n => n === document.activeElement")
    after = said(page, "first")
    words = [re.search(r"give: (.*?)\. ", text + " ")[1].split() for text in (before, after)]
    assert words[0][:4] == words[1][:4]
    assert "Die 5 was turned" in after
    page.keyboard.press("Space")
    assert step_of(page) == "first.1"


def test_twenty_pairs_are_stamped(at_step):
    page = at_step("pairs.1")
    page.locator("#pairs .learn-lit").click()
    found = re.search(r"^(\d+) pairs guessed apart: (\d+) are nonsense", said(page, "pairs"))
    assert int(found[1]) == 20
    assert page.locator("#pairs .f-stamp.is-bad").count() == int(found[2]) > 5


def test_the_browser_trains_both_networks(at_step):
    page = at_step("sharpen.1")
    page.locator("#sharpen .learn-lit:visible").click()
    page.wait_for_selector("#sharpen button[data-done]", timeout=60_000)
    found = [int(n) for n in re.findall(r"(\d+) %", said(page, "sharpen"))]
    assert found[0] > 85
    assert found[1] < 8
    assert found[3] > 55


def test_the_server_trains_streams_and_stops(open_learn, monkeypatch):
    monkeypatch.setattr("app.learn.events.STEPS", 30_000)  # long enough to be stopped on a busy machine
    page = open_learn("sharpen.3")
    assert "recorded" in said(page, "sharpen")
    start = page.locator("#sharpen .learn-trainer button").first
    page.locator("#sharpen .learn-trainer select").select_option("c-ptp")
    start.click()
    expect(start).to_have_text("Stop")
    says = page.locator("#sharpen .learn-trainer .learn-says")
    expect(says).to_contain_text(re.compile(r"Step \d+ of 30,?000"), timeout=90_000)
    assert said(page, "sharpen").startswith("Training on the server. C-PTP")
    start.click()
    expect(page.locator("#sharpen .learn-trainer .learn-says")).to_have_text("Stopped.")
    page.locator("#sharpen button", has_text="Show the recorded runs").click()
    assert "recorded" in said(page, "sharpen")


@pytest.mark.slow
def test_two_visitors_train_each_their_own(open_learn, monkeypatch):
    monkeypatch.setattr("app.learn.events.STEPS", 30_000)  # long enough to be stopped on a busy machine
    pages = [open_learn("sharpen.3"), open_learn("sharpen.3")]
    for page, variant in zip(pages, ("o-ptp", "independent"), strict=True):
        page.locator("#sharpen .learn-trainer select").select_option(variant)
        page.locator("#sharpen .learn-trainer button").first.click()
    says = [page.locator("#sharpen .learn-trainer .learn-says") for page in pages]
    expect(says[0]).to_contain_text("Step ", timeout=90_000)
    expect(says[1]).to_contain_text("Waiting for")
    assert "O-PTP" in said(pages[0], "sharpen")
    pages[0].locator("#sharpen .learn-trainer button").first.click()
    expect(says[1]).to_contain_text("Step ", timeout=90_000)
    assert "not told" in said(pages[1], "sharpen")
    expect(says[0]).to_have_text("Stopped.")
    pages[1].locator("#sharpen .learn-trainer button").first.click()


def test_own_roll_given_or_withheld(at_step):
    page = at_step("flavours.1")
    page.locator("#flavours .learn-lit").click()
    assert "gives odds" in said(page, "flavours")
    page.locator("#flavours .learn-lit").click()
    assert "the network says" in said(page, "flavours")


def test_a_bet_runs_the_call(at_step):
    page = at_step("verify.1")
    page.locator("#verify .learn-choice button").first.click()
    expect(page.locator("#verify .learn-says")).to_contain_text(re.compile(r"Checked \d drafts in one call: \d right"))


def test_slots_are_placed_and_compared(at_step):
    page = at_step("branches.1")
    for _ in range(9):
        page.locator("#branches [data-key='0+']").press("Enter")
    assert "0 right, chance" in said(page, "branches")
    assert "8 of your slots" in said(page, "branches")
    page.locator("#branches .learn-lit").click()
    expect(page.locator("#branches .learn-says")).to_contain_text("The allocator gives")


def test_a_bar_opens_its_words(at_step):
    page = at_step("fail.1")
    page.locator("#fail [data-key=bin3]").press("Enter")
    assert page.locator("#fail .learn-contexts li").count() > 2
    page.locator("#fail button", has_text="Sort by margin").click()
    assert "margin" in said(page, "fail")


def test_every_chapter_s_figure_can_be_saved(open_learn, tmp_path):
    page = open_learn("trick.2")
    for chapter in CHAPTERS:
        show(page, f"{chapter}.2")
        for kind in ("SVG", "PNG"):
            with page.expect_download() as download:
                page.locator(f"#{chapter} figcaption button", has_text=kind).click()
            path = tmp_path / download.value.suggested_filename
            download.value.save_as(path)
            assert path.name == f"ptp-{chapter}.{kind.lower()}"
            if kind == "SVG":
                content = path.read_bytes()
                assert content.startswith(b"<svg") and b"class=" not in content and len(content) > 2000, chapter
                continue
            with Image.open(path) as picture:
                assert picture.format == "PNG" and picture.width > 1000, chapter
                shades = picture.convert("L").getextrema()
                drawn = picture.convert("RGB").getcolors(picture.width * picture.height)
            assert shades[1] - shades[0] > 100 and len(drawn) > 20, f"{chapter}: there is something on the picture"


def test_every_number_in_the_words_is_filled_in(at_step):
    page = at_step("fail.3")
    text = page.locator(".learn").text_content()
    assert not re.search(r"\{\w+\}", text)
    found = facts()
    for name in ("told", "blind", "rolled", "measured", "ahead_speed", "apart"):
        assert found[name] in text, name


def test_the_other_map_is_named_and_linked(open_learn):
    page = open_learn("fail.4")
    aside = page.locator("#fail .learn-aside")
    aside.locator(".ptp-term", has_text="race of clocks").click()
    expect(page.locator(".ptp-card")).to_contain_text("the first clock to ring is the token")
    page.keyboard.press("Escape")
    assert aside.locator("a").get_attribute("href") == "./noise?coupling=gumbel"
    aside.locator("a").click()
    page.wait_for_selector(".nz-token")
    expect(page.locator("#ptp-coupling input")).to_have_value(COUPLING_LABELS["gumbel"])


def test_a_full_stop_stays_with_its_word(open_learn):
    page = open_learn("branches.2", width=390, height=844)
    for node in page.locator(".learn-glued").all():
        assert re.search(r"[.,:;?!)]+$", node.text_content())
        assert node.evaluate("n => getComputedStyle(n).whiteSpace") == "nowrap"
    assert page.locator(".learn-glued").count() > 10


def test_the_race_s_code_can_be_read_on_a_phone(open_learn):
    """No two pieces of a line lie over one another, and the first lane ends above the second."""
    page = open_learn("trick.2", width=390, height=844)
    overlap = page.evaluate(
        """() => {
          const parts = [...document.querySelectorAll("#trick .learn-svg g")].map((g) =>
            [...g.querySelectorAll(".f-code")].map((t) => t.getBoundingClientRect()));
          let worst = 0;
          for (const lane of parts)
            for (let i = 1; i < lane.length; i++)
              if (Math.abs(lane[i].top - lane[i - 1].top) < 2)
                worst = Math.max(worst, lane[i - 1].right - lane[i].left);
          const [above, below] = document.querySelectorAll("#trick .learn-svg g"),
            foot = Math.max(...[...above.querySelectorAll(".f-code")].map((t) => t.getBoundingClientRect().bottom));
          return [worst, foot - below.querySelector(".f-title").getBoundingClientRect().top];
        }"""
    )
    assert overlap[0] < 2
    assert overlap[1] < 6


def test_the_own_prompt_goes_to_the_race(open_learn):
    page = open_learn("turn.1")
    page.locator("#turn input[name=prompt]").fill("abc & def")
    page.locator("#turn .learn-lit").click()
    page.wait_for_selector(".ptp-race .ptp-token")
    assert "prompt=abc+%26+def" in page.url
    expect(page.locator("#ptp-prompt textarea")).to_have_value("abc & def")


def test_pages_and_chapters_link_to_one_another(open_learn, open_page):
    page = open_learn("turn.1")
    assert page.locator(".learn-step > .learn-live a").count() == len(CHAPTERS)
    page.locator("#verify .learn-live a").click()
    page.wait_for_selector(".ptp-race .ptp-token")
    page.locator("header nav a", has_text="Learn").click()
    page.wait_for_selector("#trick .learn-svg > *")


@pytest.mark.parametrize("query", ["", pytest.param("?__theme=dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious(open_learn, axe, query):
    page = open_learn("trick.1", query)
    for chapter in CHAPTERS:
        show(page, f"{chapter}.2")
    assert serious(page, axe, ".learn") == []


@pytest.fixture
def copy(browser: Browser, tmp_path: Path):
    """The static copy opened from a file, in a browser without a network."""
    path = write_copy(tmp_path)
    errors, asked = [], []
    context = browser.new_context(reduced_motion="reduce", offline=True)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("#trick .learn-svg > *")
    yield page
    context.close()
    assert errors == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)


def test_the_static_copy_opens_from_a_file_without_a_network(copy):
    for chapter in CHAPTERS:
        show(copy, f"{chapter}.2")
        assert len(said(copy, chapter)) > 40
    assert copy.locator(".learn-trainer button").count() == 0
    assert copy.locator(".learn-live a").count() == 0


def test_the_walk_counts_the_words_that_are_there(copy):
    """The table of docs/learn.md: each chapter's words, and minutes of at least their reading at 200 a minute."""
    words = copy.evaluate(
        """() => [...document.querySelectorAll(".learn-chapter")].map((chapter) =>
          [".learn-ask", ".learn-take", ".learn-text", ".learn-guess", ".learn-step > .learn-live", ".learn-aside"]
            .flatMap((part) => [...chapter.querySelectorAll(`.learn-prose ${part}`)])
            .map((node) => node.textContent).join(" ").trim().split(/\\s+/).length)"""
    )
    doc = (Path(__file__).parents[2] / "docs" / "learn.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ [^|]+ \| (\d+) \| ([\d.]+) \|", doc, re.MULTILINE)
    assert len(rows) == len(words) == len(CHAPTERS)
    for chapter, found, (told, minutes) in zip(CHAPTERS, words, rows, strict=True):
        assert int(told) == pytest.approx(found, rel=0.05), chapter
        assert found / 200 <= float(minutes) + 0.05 <= found / 200 + 1.5, chapter
