"""The race of clocks on the Noise page: one click from map to map, a dragged clock, keys, links, files."""

from __future__ import annotations

import csv
import json

import pytest
from playwright.sync_api import Page

from app.serving.models import ModelChoice
from ptp_core import NoiseTape, SamplingConfig, generate

pytestmark = pytest.mark.browser

WHOLE = "(s => s && s.index >= 0 && !s.busy && s.history[s.index] === s.now)(PTPLab.noiseState)"
TEXT = "PTPLab.noiseState.now.lanes.ar.tokens.map(t => t.text)"
GUMBEL = SamplingConfig(coupling="gumbel")


def text_on(prompt: str, noise: NoiseTape, shelf) -> list[str]:
    model = shelf.get(ModelChoice())
    ids = model.encode(prompt, chat=True)
    return [t.text for t in generate(model, ids, "ar", noise=noise, sampling=GUMBEL, max_new_tokens=64).emitted]


def raced(open_page) -> Page:
    """The page with a text of the tiny model that was written by a race of clocks."""
    page = open_page("noise")
    page.wait_for_function(WHOLE)
    page.fill("#ptp-prompt textarea", "abc abc")
    page.fill("#ptp-seed input", "3")
    page.click("#ptp-coupling input")
    page.get_by_role("option", name="a race of clocks").click()  # one click writes the text anew
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.now.meta.sampling.coupling === 'gumbel'")
    lively = "p => PTPLab.noiseState.now.lanes.ar.tokens[p].candidates.length > 3"
    position = next(p for p in range(3, 30) if page.evaluate(lively, p))
    page.click(f'.nz-token[data-position="{position}"]')
    page.wait_for_function("p => document.querySelector('.nz-clocks').dataset.token === String(p)", arg=position)
    return page


def clocks(page: Page) -> list[dict]:
    return page.evaluate(
        "PTPLab.noiseState.now.lanes.ar.tokens[PTPLab.noiseState.position].candidates"
        ".filter(c => c.clock).map(c => ({id: c.id, clock: c.clock, prob: c.prob, own: c.own, text: c.text}))"
    )


def test_a_dragged_clock_wins_and_the_text_is_that_of_the_core(open_page, shelf):
    page = raced(open_page)
    assert page.evaluate(TEXT) == text_on("abc abc", NoiseTape(3), shelf)
    assert not page.locator(".nz-strip").is_visible() and page.locator(".nz-runner").count() > 1
    position = page.evaluate("PTPLab.noiseState.position")
    loser = next(c for c in clocks(page) if not c["own"])
    row = page.locator(f'.nz-runner[data-clock="{loser["id"]}"] .nz-track')
    box = row.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.002, box["y"] + 10, steps=4)
    assert "→" in page.locator(".nz-preview").inner_text()
    page.mouse.up()
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.index === 1")
    edits = page.evaluate("PTPLab.noiseState.now.meta.edits")
    key = f"{position}.{loser['id']}"
    assert list(edits) == [key]
    noise = NoiseTape(3).with_clock(position, loser["id"], edits[key])
    assert page.evaluate(TEXT) == text_on("abc abc", noise, shelf)
    page.keyboard.press("Control+z")
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.index === 0")


def test_keys_move_a_clock_and_the_link_leads_back(open_page, shelf):
    page = raced(open_page)
    position = page.evaluate("PTPLab.noiseState.position")
    page.locator(".nz-runner").nth(1).focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.index === 1")
    text, edits = page.evaluate(TEXT), page.evaluate("PTPLab.noiseState.now.meta.edits")
    assert [key.split(".")[0] for key in edits] == [str(position)]
    query = page.evaluate("location.search")
    assert "coupling=gumbel" in query
    other = open_page(f"noise{query}")
    other.wait_for_function(f"{WHOLE} && PTPLab.noiseState.index === 1", timeout=60_000)
    assert other.evaluate(TEXT) == text and other.evaluate("PTPLab.noiseState.now.meta.edits") == edits


@pytest.mark.slow
def test_the_nearest_flip_the_two_races_and_files(open_page, tmp_path):
    page = raced(open_page)
    own = next(c["id"] for c in clocks(page) if c["own"])
    page.click('[data-do="flip"]')
    page.wait_for_function(f"{WHOLE} && PTPLab.noiseState.index === 1")
    assert next(c["id"] for c in clocks(page) if c["own"]) != own
    page.click('[data-map="race"]')
    page.wait_for_selector(".nz-clocks.is-still .nz-runner")
    assert not page.locator('[aria-label="The staircase"]').is_visible()
    with page.expect_download() as saved:
        page.click('[aria-label="Save the race as csv"]')
    saved.value.save_as(tmp_path / "race.csv")
    rows = list(csv.DictReader((tmp_path / "race.csv").open(encoding="utf-8")))
    assert {"token", "number", "probability", "rings_at"} <= set(rows[0]) and len(rows) > 1
    for what, kind in (("the race", "svg"), ("the bins of this token", "svg"), ("the bins of this token", "json")):
        with page.expect_download() as saved:
            page.click(f'[aria-label="Save {what} as {kind}"]')
        saved.value.save_as(tmp_path / f"{what}.{kind}")
    assert "circle" in (tmp_path / "the race.svg").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "the bins of this token.json").read_text(encoding="utf-8"))["c"][0][4] > 0


def test_the_panel_on_agreement_shows_both_kinds_of_pairs(open_page):
    page = open_page("noise?prompt=abc&max_new_tokens=8")  # a text of the visitor's own, not the recorded one
    page.locator(".nz-agreement summary").click()
    page.wait_for_selector('[aria-label="How often drafts agree: synthetic pairs"] .ptp-figure-box .ptp-dot')
    real = page.locator('[aria-label="How often drafts agree: real pairs"]')
    assert real.locator(".ptp-figure-box .ptp-series").count() == 5 and "pairs of odds" in real.inner_text()
    with page.expect_download() as saved:
        real.locator('[data-format="svg"]').click()
    assert saved.value.suggested_filename == "ptp-agreement-real.svg"
