"""The Noise page as a visitor uses it."""

from __future__ import annotations

import csv
import json
import time

import pytest
from PIL import Image
from playwright.sync_api import Page, TimeoutError, expect
from support.pages import CONTRASTS, HOSTILE, at_width, hostile_race, slow

from app.race.races import recorded_race
from app.serving.models import ModelChoice
from ptp_core import NoiseTape, SamplingConfig, generate

pytestmark = pytest.mark.browser

STATE = """() => { const s = PTPLab.noiseState; const texts = s.now.lanes;
  return {run: s.now.run, index: s.index, position: s.position, edits: s.now.meta.edits, busy: s.busy,
    ar: texts.ar.tokens.map(t => t.text), ptp: texts.ptp.tokens.map(t => t.text), u: texts.ar.tokens.map(t => t.u),
    lo: texts.ar.tokens.map(t => t.left), hi: texts.ar.tokens.map(t => t.right),
    bins: texts.ar.tokens.map(t => t.candidates)} }"""
STANDS = """(s => [`index ${s.index}, busy ${s.busy}, asked for ${s.asked}, needle at ${s.u}`,
    document.querySelector(".ptp-banner:not([hidden])")?.textContent])(PTPLab.noiseState)"""
WHOLE = "(s => s && s.index >= 0 && !s.busy && s.history[s.index] === s.now)(PTPLab.noiseState)"


def state(page: Page) -> dict:
    return page.evaluate(STATE)


def write(open_page, prompt: str = "abc abc", seed: int = 3, query: str = "noise") -> Page:
    """The page with a text of the tiny model on it."""
    page = open_page(query)
    page.wait_for_function(WHOLE)
    page.fill("#ptp-prompt textarea", prompt)
    page.fill("#ptp-seed input", str(seed))
    page.click("#ptp-run")
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.now.meta.prompt === {json.dumps(prompt)}")
    return page


def edited(page: Page, index: int = 1) -> dict:
    """The state once the history stands at `index` and all is decoded."""
    try:
        page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.index === {index}")
    except TimeoutError as error:
        raise AssertionError(f"the text is not whole: {page.evaluate(STANDS)}") from error
    return state(page)


def choose_lively(page: Page) -> int:
    """Chooses an early token whose strip has a rival with a bin of some width; returns its position."""
    found = state(page)
    position = next(p for p in range(3, 30) if found["hi"][p] - found["lo"][p] < 0.8 and len(found["bins"][p]) > 2)
    page.click(f'.nz-token[data-position="{position}"]')
    return position


def rival(found: dict, position: int) -> float:
    """A u in the middle of another token's bin at this position."""
    widest = max((c for c in found["bins"][position] if not c["own"]), key=lambda c: c["prob"])
    return widest["left"] + widest["prob"] / 2


def text_on(prompt: str, noise: NoiseTape, shelf) -> list[str]:
    """What the tiny model writes on this tape, by the core alone."""
    model = shelf.get(ModelChoice())
    trace = generate(
        model, model.encode(prompt, chat=True), "ar", noise=noise, sampling=SamplingConfig(), max_new_tokens=64
    )
    return [token.text for token in trace.emitted]


def drag(page: Page, u: float, release: bool = True) -> None:
    """Takes the needle and moves it to u on a strip that is not zoomed."""
    strip = page.locator(".nz-strip")
    strip.hover(position={"x": strip.bounding_box()["width"] * 0.5, "y": 45})  # once it stands still
    page.mouse.down()
    assert page.evaluate("PTPLab.noiseState.dragging")
    box = strip.bounding_box()
    page.mouse.move(box["x"] + box["width"] * u, box["y"] + 45, steps=6)
    if release:
        page.mouse.up()


def test_a_recorded_text_and_its_tape_are_there_at_once(open_page):
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    found, trace = state(page), recorded_race("sky").lanes["ar"]
    assert "".join(found["ar"]) == trace.text == "".join(found["ptp"])
    assert page.locator(".nz-token").count() == len(trace.tokens)
    assert page.locator(".nz-token.is-selected").count() == 1
    expect(page.locator(".nz-strip .ptp-bin.is-own")).to_have_count(1)
    expect(page.locator(".nz-same")).to_contain_text("✓")
    close = [token.position for token in trace.emitted if token.margin is not None and token.margin < 0.02]
    marked = page.eval_on_selector_all(".nz-token.is-close", "nodes => nodes.map(n => Number(n.dataset.position))")
    assert marked == close != []


def test_dragging_shows_the_token_at_once_and_release_decodes_the_rest(open_page, shelf):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    u = rival(before, position)
    drag(page, u, release=False)
    expect(page.locator(".nz-preview")).to_contain_text("→")
    assert page.locator(".nz-token.is-stale").count() == len(before["ar"]) - position - 1
    assert state(page)["run"] == before["run"], "nothing is decoded while the needle moves"
    page.mouse.up()
    after = edited(page)
    moved = after["edits"][str(position)]
    assert moved == pytest.approx(u, abs=0.003)
    assert after["ar"] == after["ptp"] == text_on("abc abc", NoiseTape(3).with_value(position, moved), shelf)
    assert after["ar"][:position] == before["ar"][:position]
    assert after["ar"][position] != before["ar"][position]
    changed = page.eval_on_selector_all(".nz-token.is-changed", "nodes => nodes.map(n => Number(n.dataset.position))")
    longer = zip(after["ar"], before["ar"] + [None] * len(after["ar"]), strict=False)
    assert changed == [i for i, (a, b) in enumerate(longer) if a != b]
    assert page.locator(".nz-token.is-edited").count() == 1
    expect(page.locator(".nz-same")).to_contain_text("✓")


def test_a_safe_move_leaves_the_text(open_page):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    inside = (before["lo"][position] + before["hi"][position]) / 2
    drag(page, inside, release=False)
    expect(page.locator(".nz-preview")).to_contain_text("same slice, same text")
    page.mouse.up()
    assert edited(page)["ar"] == before["ar"]


def test_undo_redo_reset_and_nearest_flip(open_page):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    page.click('[data-do="flip"]')
    first = edited(page)
    assert first["ar"][position] != before["ar"][position]
    page.click('[data-do="roll"]')
    second = edited(page, 2)
    page.focus(".nz-strip")
    page.keyboard.press("Control+z")
    assert edited(page)["ar"] == first["ar"]
    page.click('[data-do="undo"]')
    assert edited(page, 0)["ar"] == before["ar"]
    assert page.locator(".nz-token.is-changed").count() == 0
    page.click('[data-do="redo"]')
    page.click('[data-do="redo"]')
    assert edited(page, 2)["u"] == second["u"]
    page.click('[data-do="restore"]')
    assert edited(page, 3)["ar"] == before["ar"]
    page.click('[data-do="all"]')
    assert edited(page, 4)["edits"] == {}


def test_the_needle_by_keyboard_and_number(open_page):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    page.focus(".nz-token.is-selected")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"PTPLab.noiseState.position === {position + 1}")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"PTPLab.noiseState.position === {position}")
    page.focus(".nz-strip")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    after = edited(page)
    assert after["edits"][str(position)] == pytest.approx(0.005, abs=1e-4)
    assert page.get_attribute(".nz-strip", "aria-valuenow") == "0.0050"
    page.fill(".nz-number", "1.5")
    page.keyboard.press("Tab")
    expect(page.locator(".ptp-banner")).to_contain_text("u must lie in [0, 1)")
    assert state(page)["ar"] == after["ar"]
    page.fill(".nz-number", str(round(before["u"][position], 6)))
    page.keyboard.press("Tab")
    assert edited(page, 2)["ar"] == before["ar"]


def test_noise_that_is_not_frozen_is_drawn_anew(open_page):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    page.uncheck(".nz-controls input[type=checkbox]")
    drag(page, (before["lo"][position] + before["hi"][position]) / 2)
    after = edited(page)
    assert after["ar"][: position + 1] == before["ar"][: position + 1]
    assert after["u"][position + 1 :] != before["u"][position + 1 :]
    assert after["ar"] == after["ptp"]


@pytest.mark.slow
def test_a_link_carries_text_edits_and_position(open_page, url):
    page = write(open_page)
    position = choose_lively(page)
    page.click('[data-do="flip"]')
    after = edited(page)
    page.click('[data-do="link"]')
    expect(page.locator(".ptp-banner")).to_contain_text("copied")
    link = page.evaluate("navigator.clipboard.readText()")
    other = open_page(link.removeprefix(url))
    again = edited(other)
    assert again["ar"] == after["ar"]
    assert again["position"] == position
    assert list(again["edits"]) == [str(position)]


def test_the_next_drag_takes_over(open_page, monkeypatch):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    slow(monkeypatch)
    drag(page, rival(before, position))
    page.wait_for_function("PTPLab.noiseState.busy && PTPLab.noiseState.now.run !== PTPLab.noiseState.old.run")
    drag(page, (before["lo"][position] + before["hi"][position]) / 2)
    monkeypatch.undo()
    after = edited(page)
    assert after["ar"] == before["ar"], "the second place of the needle counts, and the first run is gone"


def test_stop_keeps_what_was_decoded(open_page, monkeypatch):
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    slow(monkeypatch)
    drag(page, rival(before, position))
    page.wait_for_function("PTPLab.noiseState.busy && PTPLab.noiseState.now.run !== PTPLab.noiseState.old.run")
    page.click("#ptp-stop")
    expect(page.locator(".ptp-banner")).to_contain_text("Stopped")
    stopped = len(state(page)["ar"])
    time.sleep(0.6)
    assert len(state(page)["ar"]) == stopped < 64
    page.click('[data-do="undo"]')
    assert edited(page, 0)["ar"] == before["ar"]


def test_stop_while_a_map_is_drawn_keeps_the_edits(open_page, monkeypatch):
    from ptp_core.maps.position import Place

    page = write(open_page)
    before = state(page)
    choose_lively(page)
    page.click('[data-do="roll"]')
    first = edited(page)
    page.click('[data-do="roll"]')
    edited(page, 2)
    plain = Place.slot_logits
    monkeypatch.setattr(Place, "slot_logits", lambda *given: (time.sleep(0.4), plain(*given))[1])
    page.click('[data-map="square"]')
    page.wait_for_function("document.querySelector('[data-map=square]').textContent === 'Stop'")
    page.click("#ptp-stop")
    page.wait_for_function("!PTPLab.noiseState.busy")
    assert edited(page, 2)["edits"]
    page.click('[data-do="undo"]')
    assert edited(page)["ar"] == first["ar"]
    page.click('[data-do="all"]')
    assert edited(page, 2)["ar"] == before["ar"]


def test_a_run_stopped_before_its_first_token_leaves_the_page_as_it_was(open_page):
    page = write(open_page)
    choose_lively(page)
    page.click('[data-do="flip"]')
    after = edited(page)
    page.evaluate("document.dispatchEvent(new CustomEvent('ptp:queued', { detail: 'nobody' }))")
    page.evaluate("document.dispatchEvent(new CustomEvent('ptp:stopped'))")
    assert edited(page)["ar"] == after["ar"]
    page.click('[data-do="undo"]')
    assert edited(page, 0)["edits"] == {}


def test_the_needle_takes_over_from_a_text_under_way(open_page, monkeypatch):
    page = write(open_page)
    slow(monkeypatch)
    page.fill("#ptp-prompt textarea", "hg fe")
    page.click("#ptp-run")
    begun = "PTPLab.noiseState.now.meta.prompt === 'hg fe' && PTPLab.noiseState.now.lanes.ar.tokens.length > 5"
    page.wait_for_function(begun)
    box = page.locator('.nz-token[data-position="2"]').bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 5)
    page.mouse.down()  # the token may be drawn anew before it is let go: the press counts
    assert page.evaluate("PTPLab.noiseState.position") == 2
    page.mouse.up()
    drag(page, 0.5)
    monkeypatch.undo()
    after = edited(page)
    assert after["edits"]["2"] == pytest.approx(0.5, abs=0.003)
    assert page.evaluate("PTPLab.noiseState.base.meta.prompt") == "hg fe"


def test_a_nudge_dies_with_its_token(open_page):
    """The keyboard's move counts after a moment; another token chosen meanwhile is not moved in its place."""
    page = write(open_page)
    before, position = state(page), choose_lively(page)
    page.focus(".nz-strip")
    page.keyboard.press("ArrowRight")
    page.evaluate(f"document.querySelector('.nz-token[data-position=\"{position + 1}\"]').click()")
    time.sleep(0.8)
    assert state(page)["index"] == 0
    assert state(page)["ar"] == before["ar"]
    assert page.evaluate("PTPLab.noiseState.u") is None


def test_a_link_carries_every_setting_and_every_edit_or_says_that_none_can(open_page, url, tmp_path):
    page = open_page("noise?prompt=abc&chat=0&max_new_tokens=90&seed=5&temperature=1")
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.now.meta.prompt === 'abc'")
    choose_lively(page)
    page.uncheck(".nz-controls input[type=checkbox]")
    page.click('[data-do="roll"]')
    after = edited(page)
    assert len(after["edits"]) > 40
    page.click('[data-do="link"]')
    expect(page.locator(".ptp-banner")).to_contain_text("copied")
    link = page.evaluate("navigator.clipboard.readText()")
    other = open_page(link.removeprefix(url))
    again = edited(other)
    assert (again["ar"], len(again["ar"])) == (after["ar"], 90)
    (tmp_path / "race.json").write_text(json.dumps(recorded_race("translation").to_dict()))
    other.set_input_files(".ptp-noise input[type=file]", tmp_path / "race.json")
    other.wait_for_function(f"{WHOLE} && PTPLab.noiseState.now.meta.prompt.startsWith('Translate')")
    assert "prompt=" not in other.url
    other.click('[data-do="link"]')
    expect(other.locator(".ptp-banner")).to_contain_text("No link can lead here")


def test_the_staircase_on_screen_is_of_the_chosen_token(open_page):
    page = write(open_page)
    position = choose_lively(page)
    page.click('[data-map="staircase"]')
    page.wait_for_selector("#ptp-stairs .js-plotly-plot svg.main-svg")
    expect(page.locator("#ptp-stairs")).to_be_visible()
    page.click(f'.nz-token[data-position="{position + 1}"]')
    expect(page.locator("#ptp-stairs")).to_be_hidden()
    page.click('[data-map="staircase"]')
    expect(page.locator("#ptp-stairs")).to_be_visible()
    page.click(f'.nz-token[data-position="{position}"]')
    expect(page.locator("#ptp-stairs")).to_be_hidden()
    expect(page.locator('[data-save="staircase png"]')).to_be_hidden()


def test_the_sweep_by_keyboard(open_page):
    page = write(open_page)
    position = choose_lively(page)
    page.click('[data-map="sweep"]')
    page.wait_for_selector(".nz-sweep")
    page.locator(".nz-sweep").first.focus()
    before = float(page.locator(".nz-sweep").first.get_attribute("aria-valuenow"))
    page.keyboard.press("ArrowRight" if before < 0.5 else "ArrowLeft")
    now = float(page.locator(".nz-sweep").first.get_attribute("aria-valuenow"))
    assert now != before
    assert "u 0." in page.locator(".nz-sweep").first.get_attribute("aria-valuetext")
    page.keyboard.press("Enter")
    assert edited(page)["edits"][str(position)] == pytest.approx(now, abs=1e-3)


@pytest.mark.parametrize(
    "kind", ["square", pytest.param("sweep", marks=pytest.mark.slow), pytest.param("staircase", marks=pytest.mark.slow)]
)
def test_maps_are_drawn_and_saved(open_page, tmp_path, kind):
    page = write(open_page)
    position = choose_lively(page)
    page.click(f'[data-map="{kind}"]')
    save = page.locator(f'[data-save="{kind} json"]')
    expect(save).to_be_visible()
    files = {}
    if kind == "staircase":
        page.wait_for_selector("#ptp-stairs .js-plotly-plot svg.main-svg")
    for form in ("json", "csv", "svg", "png"):
        with page.expect_download() as waiting:
            page.click(f'[data-save="{kind} {form}"]')
        files[form] = tmp_path / f"map.{form}"
        waiting.value.save_as(files[form])
    found = json.loads(files["json"].read_text())
    rows = list(csv.reader(files["csv"].read_text().splitlines()))
    assert found.get("position", found.get("first")) == position
    assert len(rows) > 3
    assert len({len(row) for row in rows}) == 1
    assert files["svg"].read_text().startswith("<svg")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    if kind == "staircase":
        expect(page.locator(".nz-band")).to_be_visible()
        assert f"Token {position + 1}" in files["svg"].read_text()
    else:
        assert page.locator(f".nz-{kind}").count() >= 2


def test_bins_and_tape_are_saved(open_page, tmp_path):
    page = write(open_page)
    position = choose_lively(page)
    found = state(page)
    files = {}
    for what in ("bins png", "bins svg", "bins csv", "bins json", "tape csv"):
        with page.expect_download() as waiting:
            page.click(f'[data-save="{what}"]')
        files[what] = tmp_path / what.replace(" ", ".")
        waiting.value.save_as(files[what])
    with Image.open(files["bins png"]) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20, "the picture is not blank"
    assert "<text" in files["bins svg"].read_text()
    assert json.loads(files["bins json"].read_text())["p"] == position
    chosen = [row for row in csv.DictReader(files["bins csv"].open()) if row["chosen"] == "1"]
    assert [float(chosen[0]["u_from"])] == pytest.approx([found["lo"][position]], abs=1e-5)
    tape = list(csv.DictReader(files["tape csv"].open()))
    assert [float(row["u"]) for row in tape] == pytest.approx(found["u"])


@pytest.mark.slow
def test_hostile_tokens_in_every_map_stay_text(open_page, monkeypatch, shelf):
    model = shelf.get(ModelChoice())
    monkeypatch.setattr(model, "label", lambda token: HOSTILE[token % len(HOSTILE)])
    page = write(open_page)
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    choose_lively(page)
    for kind in ("square", "sweep", "staircase"):
        page.click(f'[data-map="{kind}"]')
        expect(page.locator(f'[data-save="{kind} json"]')).to_be_visible()
        with page.expect_download():
            page.click(f'[data-save="{kind} csv"]')
    page.wait_for_selector("#ptp-stairs .js-plotly-plot svg.main-svg")
    assert page.locator(".ptp-noise :is(img, script, iframe), #ptp-stairs :is(script, iframe, .ytick img)").count() == 0
    assert dialogs == []


def test_a_map_can_be_stopped(open_page, monkeypatch):
    from ptp_core.maps.position import Place

    page = write(open_page)
    choose_lively(page)
    plain = Place.slot_logits
    monkeypatch.setattr(Place, "slot_logits", lambda *given: (time.sleep(0.4), plain(*given))[1])
    page.click('[data-map="square"]')
    page.wait_for_function("document.querySelector('[data-map=square]').textContent === 'Stop'")
    page.click('[data-map="square"]')
    page.wait_for_function("document.querySelector('[data-map=square]').textContent === 'Draw'")
    time.sleep(1.5)
    assert page.locator(".nz-square").count() == 0
    monkeypatch.undo()
    page.click('[data-map="square"]')
    expect(page.locator(".nz-square")).to_have_count(3)


def test_a_click_on_the_square_sets_both_u(open_page):
    page = write(open_page)
    position = choose_lively(page)
    page.click('[data-map="square"]')
    page.wait_for_selector(".nz-square")
    assert page.locator(".nz-square").count() == 3
    page.locator(".nz-square.is-target").scroll_into_view_if_needed()
    box = page.locator(".nz-square.is-target").bounding_box()
    side, pad = box["width"] * 300 / 344, box["width"] * 26 / 344
    page.mouse.move(box["x"] + pad + 0.25 * side, box["y"] + box["width"] * 18 / 344 + 0.5 * side)
    expect(page.locator(".nz-says")).to_contain_text("% of the square")
    page.mouse.down()
    page.mouse.up()
    after = edited(page)
    assert after["edits"][str(position)] == pytest.approx(0.25, abs=0.01)
    assert after["edits"][str(position + 1)] == pytest.approx(0.5, abs=0.01)
    assert after["ar"] == after["ptp"]
    expect(page.locator(".nz-square")).to_have_count(3)  # what stands before is the same, so the maps stay
    cross = page.locator(".nz-square.is-target .nz-cross circle")
    assert float(cross.get_attribute("cx")) == pytest.approx(26 + 300 * 0.25, abs=4)
    assert float(cross.get_attribute("cy")) == pytest.approx(18 + 300 * 0.5, abs=4)
    page.click(f'.nz-token[data-position="{position - 1}"]')
    expect(page.locator(".nz-square")).to_have_count(0)


def test_the_cards_open_drawn_for_the_recorded_text(open_page, monkeypatch):
    def nobody(*given):
        raise AssertionError("no model is asked")

    monkeypatch.setattr("app.noise.events.NoiseRunner._compute", nobody)
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    expect(page.locator(".nz-square")).to_have_count(3)
    expect(page.locator(".nz-sweep")).to_have_count(3)
    expect(page.locator("#ptp-stairs .js-plotly-plot")).to_be_visible()
    names = page.locator(".nz-square.is-target .nz-second").all_inner_texts()
    assert "␣result" in names or "␣result" in page.locator(".nz-square.is-target").text_content()
    assert page.locator(".ptp-banner").is_hidden()
    sizes = [len(step.emitted) for step in recorded_race("sky").lanes["ptp"].steps]
    joined = page.locator(".nz-parallel .ptp-token.is-joined-first")
    expect(joined).to_have_count(sum(size > 1 for size in sizes))  # tokens of one call stand in one outline


def test_a_click_on_the_sweep_moves_u_there(open_page):
    page = write(open_page)
    position = choose_lively(page)
    page.click('[data-map="sweep"]')
    page.wait_for_selector(".nz-sweep")
    page.locator(".nz-sweep").first.scroll_into_view_if_needed()
    box = page.locator(".nz-sweep").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (46 + 0.9 * 946) / 1000, box["y"] + box["height"] / 2)
    assert edited(page)["edits"][str(position)] == pytest.approx(0.9, abs=0.01)


def test_a_recorded_text_of_another_model_is_refused_in_a_sentence(open_page):
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    before = state(page)
    page.click('[data-do="roll"]')
    expect(page.locator(".ptp-banner.is-error")).to_contain_text(
        "was written by SmolLM2-135M-Instruct; the model in use"
    )
    assert state(page)["ar"] == before["ar"]
    assert not state(page)["busy"]


def test_files_open_here_and_damaged_ones_lose_nothing(open_page, tmp_path):
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    before = state(page)
    (tmp_path / "bad.json").write_text('{"schema_version": 1, "steps": [')
    page.set_input_files(".ptp-noise input[type=file]", tmp_path / "bad.json")
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("not whole JSON")
    assert state(page)["ar"] == before["ar"]
    race = recorded_race("translation").to_dict()
    (tmp_path / "good.json").write_text(json.dumps(race))
    page.set_input_files(".ptp-noise input[type=file]", tmp_path / "good.json")
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.now.meta.prompt.startsWith('Translate')")
    assert "".join(state(page)["ar"]) == recorded_race("translation").lanes["ar"].text


def test_hostile_tokens_stay_text(open_page, tmp_path):
    (tmp_path / "hostile.json").write_text(json.dumps(hostile_race()))
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_input_files(".ptp-noise input[type=file]", tmp_path / "hostile.json")
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.now.meta.origin === 'uploaded'")
    for position in range(len(HOSTILE)):
        page.locator(f'.nz-token[data-position="{position}"]').click()
    assert page.locator(".ptp-noise :is(img, script, iframe)").count() == 0
    assert dialogs == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_overflows_and_text_has_contrast(open_page, theme):
    page = open_page(f"noise?__theme={theme}")
    page.wait_for_function(WHOLE)
    bottom = page.evaluate("document.querySelector('.nz-chosen').getBoundingClientRect().bottom")
    assert bottom < 800, "the first screen shows the text, the tape and the needle"
    for width in (1320, 390):
        at_width(page, width)
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 10
        assert {name: round(ratio, 2) for name, ratio in contrasts.items() if ratio < 4.5} == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_needle_keeps_up_with_the_pointer(open_page):
    """A move does its work in a small part of a frame (1/60 s)."""
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    moves = page.evaluate(
        """() => {
        const strip = document.querySelector('.nz-strip'), box = strip.getBoundingClientRect();
        strip.setPointerCapture = () => {};
        const send = (kind, u) => strip.dispatchEvent(new PointerEvent(kind, {
          clientX: box.left + u * box.width, clientY: box.top + 40, pointerId: 1, bubbles: true, button: 0}));
        send('pointerdown', 0.1);
        const start = performance.now();
        for (let i = 0; i < 200; i += 1) send('pointermove', i / 200);
        const spent = performance.now() - start;
        send('pointercancel', 0);
        return spent / 200; }"""
    )
    assert moves < 1000 / 60
