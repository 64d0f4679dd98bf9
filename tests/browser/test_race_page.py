"""The Race page as a visitor uses it."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect
from support.pages import CONTRASTS, at_width, hostile_race, slow

from app.race.examples import EXAMPLES
from app.race.races import RECORDED_FOLDER, Race, recorded_names, recorded_race
from app.serving.models import ModelChoice
from app.settings import MODEL_LABELS, RunSettings
from ptp_core.methods import TABLE
from ptp_core.storage.built_in import DEFAULT

pytestmark = pytest.mark.browser

STATE = "() => { const s = PTPLab.raceState; return {run: s.run, live: s.live, head: s.head, axis: s.axis, "
STATE += "playing: s.playing, ar: s.lanes.ar.steps.length, ptp: s.lanes.ptp.steps.length, calls: s.lanes.ptp.calls, "
STATE += "texts: ['ar', 'ptp'].map(n => s.lanes[n].tokens.map(t => t.text).join(''))} }"


def state(page: Page) -> dict:
    return page.evaluate(STATE)


def run(page: Page, prompt: str = "abc abc", seed: int = 3) -> dict:
    """Runs a race with the tiny model and waits for its end."""
    before = state(page)["run"]
    page.fill("#ptp-prompt textarea", prompt)
    page.fill("#ptp-seed input", str(seed))
    page.click("#ptp-run")
    page.wait_for_function(
        "before => { const s = PTPLab.raceState; return s.run && s.run !== before && !s.live && s.summary.lanes.ptp "
        "&& s.lanes.ptp.steps.length === s.summary.lanes.ptp.calls && document.querySelector('.ptp-banner').hidden }",
        arg=before,
    )
    return state(page)


def draft_in_branches(page: Page) -> None:
    page.click("#ptp-method input")
    page.get_by_role("option", name="PTP with branches (PQD)").click()
    expect(page.locator("#ptp-settings > button")).to_contain_text("budget 8 · PTP with branches")


def test_a_recorded_race_is_there_before_any_model(open_page):
    page = open_page()
    page.wait_for_function(
        "PTPLab.raceState.lanes.ptp.steps.length > 10 && PTPLab.raceState.lanes.ar.steps.length > 10"
    )
    shown = state(page)
    assert shown["run"] == "recorded:code"
    assert shown["texts"][0] == shown["texts"][1] == recorded_race("code").lanes["ar"].text
    expect(page.locator(".ptp-pill")).to_contain_text("recorded")
    expect(page.locator(".ptp-figure b").first).to_have_text(f"{shown['ar']} → {shown['ptp']}")


def test_run_streams_both_lanes_and_proves_that_they_are_identical(open_page):
    page = open_page()
    shown = run(page)
    assert shown["texts"][0] == shown["texts"][1] != ""
    expect(page.locator(".ptp-figure b").nth(3)).to_contain_text("✓")
    told, speed = page.evaluate("PTPLab.raceState.summary"), page.locator(".ptp-figure").nth(2)
    if told["speedup"] is None:  # other tests share the processor
        expect(speed).to_contain_text(told["fair"]["why"] or "no drafts were made")
    else:
        expect(speed.locator("b")).to_have_text(f"{told['speedup']:.2f}×")
        expect(speed).to_contain_text("slower" if told["speedup"] < 0.995 else "fast")
    expect(page.locator(".ptp-pill")).to_contain_text("live")
    assert "prompt=abc+abc" in page.url
    assert "seed=3" in page.url
    expect(page.locator(".ptp-spoken")).to_contain_text("identical")


def test_the_parallel_lane_drafts_as_the_visitor_chooses(open_page):
    page = open_page()
    by_shallow = run(page)["texts"]
    expect(page.get_by_role("region", name="Parallel (shallow PTP)")).to_be_visible()
    page.focus(".ptp-race")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".ptp-race")).to_contain_text(TABLE["shallow"].sentence)
    draft_in_branches(page)
    assert run(page)["texts"] == by_shallow
    expect(page.get_by_role("region", name="Parallel (PQD)")).to_be_visible()
    assert "method=pqd" in page.url
    page.focus(".ptp-race")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".ptp-branches .ptp-branch.is-kept")).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator(".is-presenting .ptp-branches .ptp-branch.is-kept")).to_be_visible()
    page.keyboard.press("Escape")
    page.click("#ptp-example-sky")  # recorded by shallow slots: the visitor's method stays, for the next run
    expect(page.get_by_role("region", name="Parallel (shallow PTP)")).to_contain_text("next run: PQD")
    expect(page.locator("#ptp-method input")).to_have_value("PTP with branches (PQD)")
    expect(page.locator("#ptp-settings > button")).to_contain_text("budget 8 · PTP with branches")


def test_the_landing_plays_once_by_itself(open_page):
    page = open_page(width=1366, height=768, calm=False)
    page.wait_for_function("PTPLab.raceState.playing && PTPLab.raceState.lanes.ar.calls > 24")
    assert page.locator(".ptp-transport select").input_value() == "0.25"
    ahead = page.evaluate("(s => [s.lanes.ptp.shown, s.lanes.ar.shown, s.axis])(PTPLab.raceState)")
    assert ahead[0] > ahead[1] and ahead[2] == "ms", "both lanes move, in measured time"
    page.wait_for_function("!PTPLab.raceState.playing && PTPLab.raceState.lanes.ar.shown === 64")
    run(page)
    assert page.locator(".ptp-transport select").input_value() == "1"


def test_the_landing_stands_at_a_telling_call_where_no_motion_is_wanted(open_page):
    page = open_page()
    page.wait_for_function("PTPLab.raceState.lanes.ptp.calls > 0")
    step = page.evaluate("(s => s.lanes.ptp.steps[s.lanes.ptp.calls - 1])(PTPLab.raceState)")
    most = max(len(s.emitted) for s in recorded_race("code").lanes["ptp"].steps)
    assert len(step["emitted"]) == most > 3 and not state(page)["playing"]


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_both_texts_are_on_the_first_screen(open_page, width, height):
    page = open_page(width=width, height=height)
    for lane in ("ar", "ptp"):
        box = page.locator(f".is-{lane} .ptp-text").bounding_box()
        assert box["y"] + box["height"] <= height and box["x"] >= 0 and box["x"] + box["width"] <= width
    figures, text = page.locator(".ptp-figures").bounding_box(), page.locator(".is-ar .ptp-text").bounding_box()
    assert figures["y"] + figures["height"] < text["y"]


def test_a_wide_screen_is_used(open_page):
    page = open_page(width=1920, height=1080)
    assert page.locator(".ptp-race").bounding_box()["width"] > 0.85 * 1920


def test_tokens_of_one_call_stand_in_one_outline(open_page):
    page = open_page()
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length === 19")
    sizes = [len(step.emitted) for step in recorded_race("code").lanes["ptp"].steps]
    parallel = page.locator(".is-ptp .ptp-token")
    assert page.locator(".is-ptp .ptp-token.is-joined-first").count() == sum(size > 1 for size in sizes)
    assert page.locator(".is-ptp .ptp-token.is-joined").count() == sum(size for size in sizes if size > 1)
    assert page.locator(".is-ar .ptp-token.is-joined").count() == 0
    expect(parallel.nth(1)).to_have_attribute("aria-label", re.compile(r"1 of 6 from one call"))
    borders = "n => (g => [g.borderLeftWidth, g.borderRightWidth, g.borderBottomWidth])(getComputedStyle(n))"
    first, inner, last = (parallel.nth(i).evaluate(borders) for i in (1, 2, 6))
    assert first[0] != "0px" and inner[:2] == ["0px", "0px"] and last[1] != "0px"
    page.click('[data-do="prose"]')
    expect(page.locator('[data-do="prose"]')).to_have_attribute("aria-pressed", "true")
    assert parallel.nth(2).evaluate("n => getComputedStyle(n.querySelector('.ptp-space')).fontSize") == "0px"
    joined, alone = parallel.nth(2), parallel.nth(0)
    colours = [node.evaluate("n => getComputedStyle(n).borderBottomColor") for node in (joined, alone)]
    assert colours[0] != colours[1], "the line joins the call's tokens in plain text too"


def test_space_after_run_plays_and_does_not_run_again(open_page):
    page = open_page()
    shown = run(page)["run"]
    page.keyboard.press("Space")
    page.wait_for_function("PTPLab.raceState.playing")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    assert state(page)["run"] == shown and not page.evaluate("PTPLab.raceState.busy")
    page.fill("#ptp-prompt textarea", "abcabc")
    page.keyboard.press("Space")
    assert page.input_value("#ptp-prompt textarea") == "abcabc "


def test_focus_shows_on_the_prompt_line(open_page):
    page = open_page()
    for selector in ("#ptp-prompt textarea", "#ptp-seed input", "#ptp-dice", "#ptp-run"):
        page.focus(selector)
        page.keyboard.press("Shift")  # so that the browser knows that the keyboard is used
        style = page.eval_on_selector(selector, "n => (g => [g.outlineStyle, g.outlineWidth])(getComputedStyle(n))")
        assert style[0] == "solid" and float(style[1].removesuffix("px")) >= 2, selector


def test_the_noise_tape_of_a_long_text_stays_in_its_panel(open_page):
    page = open_page()
    page.wait_for_selector(".ptp-u-bar")
    page.evaluate(
        """() => { const tape = document.querySelector('.ptp-tape'), bar = tape.firstElementChild;
        tape.classList.add('is-dense');
        for (let i = tape.childElementCount; i < 256; i += 1) tape.append(bar.cloneNode(true)); }"""
    )
    assert page.evaluate("(t => t.scrollWidth <= t.clientWidth)(document.querySelector('.ptp-tape'))")


def test_the_same_seed_gives_the_same_text_again(open_page):
    page = open_page()
    first = run(page, seed=11)["texts"]
    other = run(page, seed=12)["texts"]
    assert run(page, seed=11)["texts"] == first != other


def test_scrub_step_and_keyboard(open_page):
    page = open_page()
    total = run(page)["ptp"]
    page.focus(".ptp-race")
    page.keyboard.press("Home")
    assert state(page)["calls"] == 0
    page.keyboard.press("ArrowRight")
    assert state(page)["calls"] == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert state(page)["calls"] == 1
    assert page.locator(".is-ptp .ptp-token:not(.is-future)").count() == 1
    page.keyboard.press("End")
    assert state(page)["calls"] == total
    page.locator(".ptp-transport input[type=range]").fill("120")
    assert 0 < state(page)["calls"] < total
    page.keyboard.press("a")
    page.locator(".ptp-bars.is-ptp .ptp-call").nth(2).click()
    assert state(page)["calls"] == 3
    expect(page.locator(".ptp-detail h3").first).to_contain_text("Call 3")


def test_axis_toggle_keeps_the_place_and_relabels(open_page):
    page = open_page()
    total = run(page)["ptp"]
    page.click('[data-do="ms"]')
    assert state(page)["axis"] == "ms"
    page.focus(".ptp-race")
    page.keyboard.press("End")
    assert state(page)["calls"] == total
    page.keyboard.press("ArrowLeft")
    page.click('[data-do="calls"]')
    assert state(page)["axis"] == "calls"


def test_play_moves_and_pauses(open_page):
    page = open_page(calm=False)
    run(page)
    page.click('[data-do="calls"]')
    page.click('[data-do="first"]')
    page.click('[data-do="play"]')
    page.wait_for_function("PTPLab.raceState.head > 1")
    page.click('[data-do="play"]')
    paused = state(page)["head"]
    time.sleep(0.3)
    assert state(page)["head"] == paused
    assert not state(page)["playing"]


def test_a_click_on_a_token_opens_its_bin(open_page):
    page = open_page()
    run(page)
    tokens = page.locator(".is-ptp .ptp-token")
    tokens.nth(4).click()
    expect(page.locator(".ptp-detail h3").nth(1)).to_contain_text("Token 5")
    expect(page.locator(".ptp-facts")).to_contain_text("its slice is ")
    assert page.locator(".ptp-strip .ptp-bin.is-own").count() == 1
    assert page.locator(".ptp-token.is-selected").count() == 2, "the same position is marked in both lanes"
    page.keyboard.press("Escape")
    assert page.locator(".ptp-token.is-selected").count() == 0
    page.locator(".ptp-u-bar").nth(2).click()
    expect(page.locator(".ptp-detail h3").nth(1)).to_contain_text("Token 3")


def test_every_draft_is_visible_with_a_second_cue(open_page):
    page = open_page()
    draft_in_branches(page)
    run(page)
    page.evaluate("document.querySelector('.ptp-map-box').open = true")
    page.wait_for_selector(".ptp-map svg")
    page.focus(".ptp-race")
    page.keyboard.press("Home")
    seen = set()
    for _ in range(state(page)["ptp"]):
        page.keyboard.press("ArrowRight")
        names = page.eval_on_selector_all(".ptp-detail .ptp-chip", "nodes => nodes.map(n => n.className)")
        seen.update(name.split("is-")[1] for name in names)
    assert {"accepted", "rejected", "discarded"} & seen
    assert {"pending", "unused"} & seen
    styles = page.evaluate(
        "['accepted','rejected','discarded','pending'].map(s => { "
        "const c = document.querySelector('.ptp-legend .is-' + s); "
        "const g = getComputedStyle(c); return g.borderBottomStyle + g.textDecorationLine + c.textContent })"
    )
    assert len(set(styles)) == 4


def test_stop_stops_and_keeps_what_was_decoded(open_page, monkeypatch):
    page = open_page()
    slow(monkeypatch)
    page.fill("#ptp-prompt textarea", "abcd")
    page.click("#ptp-run")
    page.wait_for_function("PTPLab.raceState.live && PTPLab.raceState.lanes.ar.steps.length > 2")
    page.click("#ptp-stop")
    expect(page.locator(".ptp-banner")).to_contain_text("Stopped")
    time.sleep(0.5)
    count = state(page)["ar"]
    time.sleep(1)
    assert state(page)["ar"] == count < 60
    monkeypatch.undo()
    assert run(page, "abc")["texts"][0] != ""


def test_a_stopped_race_compares_equal_numbers_of_tokens(open_page, monkeypatch):
    page = open_page()
    slow(monkeypatch, 0.05)
    page.fill("#ptp-prompt textarea", "abcd")
    page.click("#ptp-run")
    page.wait_for_function("PTPLab.raceState.live && PTPLab.raceState.lanes.ptp.tokens.length > 8")
    page.click("#ptp-stop")
    expect(page.locator(".ptp-banner")).to_contain_text("Stopped")
    page.wait_for_function("!PTPLab.raceState.live && PTPLab.raceState.summary.fair")
    expect(page.locator('[aria-label="The current call"]')).to_contain_text("Stopped here.")
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length === PTPLab.raceState.summary.lanes.ptp.calls")
    fair = page.evaluate("PTPLab.raceState.summary.fair")
    lanes = page.evaluate("['ar', 'ptp'].map(n => PTPLab.raceState.lanes[n].steps.map(s => s.emitted.length))")
    for calls, lane in zip(fair["calls"], lanes, strict=True):
        assert sum(lane[:calls]) == fair["tokens"] > 0
    assert abs(sum(lanes[0]) - sum(lanes[1])) < 64
    figures = page.locator(".ptp-figure b")
    expect(figures.first).to_have_text(" → ".join(map(str, fair["calls"])))
    expect(figures.nth(3)).to_contain_text("✓")


def test_the_address_names_the_race_on_screen_only(open_page, monkeypatch):
    page = open_page()
    run(page, "abc")
    assert "prompt=abc" in page.url
    page.fill("#ptp-prompt textarea", "ab " * 40_000)
    page.click("#ptp-run")
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("tokens; with")
    assert "prompt=abc&seed=3" in page.url
    monkeypatch.setattr(RunSettings, "query", lambda self: "prompt=" + "x" * 9000)
    run(page, "abcd")
    assert "prompt" not in page.url, "an address that no server takes"
    page.click('[data-do="link"]')
    expect(page.locator('[data-do="link"]')).to_contain_text("No link")


def test_run_at_once_after_stop_and_run_while_running_start_anew(open_page, monkeypatch):
    page = open_page()
    slow(monkeypatch)
    page.fill("#ptp-prompt textarea", "abcd")
    page.click("#ptp-run")
    page.wait_for_function("PTPLab.raceState.live && PTPLab.raceState.lanes.ar.steps.length > 2")
    for prompt, stops in (("dcba", True), ("bcda", False)):
        before = state(page)["run"]
        if stops:
            page.click("#ptp-stop")
        page.fill("#ptp-prompt textarea", prompt)
        page.click("#ptp-run")
        page.wait_for_function(
            "before => { const s = PTPLab.raceState; return s.live && s.run !== before && s.lanes.ar.steps.length }",
            arg=before,
        )
        assert page.evaluate("PTPLab.raceState.meta.prompt") == prompt
    shown = state(page)["run"]
    time.sleep(1)
    assert state(page)["run"] == shown, "the stopped runs stay silent"


def test_stop_reaches_a_run_that_waits_for_its_turn(open_page, monkeypatch):
    slow(monkeypatch)
    one, two = open_page(), open_page()
    for page in (one, two):
        page.fill("#ptp-prompt textarea", "abcd")
        page.click("#ptp-run")
    expect(two.locator(".ptp-banner")).to_contain_text("take turns")
    two.click("#ptp-stop")
    expect(two.locator(".ptp-banner")).to_contain_text("Stopped")
    one.wait_for_function("PTPLab.raceState.lanes.ar.steps.length > 2")
    one.click("#ptp-stop")
    time.sleep(1.5)
    assert state(two)["run"] == "recorded:code"


def test_two_visitors_queue_and_see_their_own_runs(open_page, monkeypatch):
    slow(monkeypatch, 0.03)
    one, two = open_page(), open_page()
    for page, prompt, seed in ((one, "abc", 21), (two, "hgf", 22)):
        page.fill("#ptp-prompt textarea", prompt)
        page.fill("#ptp-seed input", str(seed))
        page.click("#ptp-run")
    expect(two.locator(".ptp-banner")).to_contain_text("take turns")
    for page in (one, two):
        page.wait_for_function(
            "PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded') && !PTPLab.raceState.live "
            "&& document.querySelector('.ptp-banner').hidden"
        )
    assert one.evaluate("PTPLab.raceState.meta.prompt") == "abc"
    assert two.evaluate("PTPLab.raceState.meta.prompt") == "hgf"
    assert one.evaluate("PTPLab.raceState.meta.seed") == 21
    assert state(one)["run"] != state(two)["run"]


def test_who_waits_is_told_the_place_and_the_time(open_page, monkeypatch):
    slow(monkeypatch, 0.1)
    one, two = open_page(), open_page()
    for page in (one, two):
        page.click("#ptp-run")
    one.wait_for_function("PTPLab.raceState.live")
    expect(two.locator(".ptp-banner")).to_contain_text("yours is the next run")
    page = two
    banner, figures = page.locator(".ptp-banner").bounding_box(), page.locator(".ptp-figures").bounding_box()
    assert banner["y"] >= figures["y"] + figures["height"], "the banner covers no figure"
    one.click("#ptp-stop")
    two.click("#ptp-stop")


def test_a_waiting_run_that_is_stopped_frees_its_place(open_page, monkeypatch):
    slow(monkeypatch, 0.1)
    one, two, three = open_page(), open_page(), open_page()
    one.click("#ptp-run")
    one.wait_for_function("PTPLab.raceState.live")
    for page, says in ((two, "yours is the next run"), (three, "1 run is before yours")):
        page.click("#ptp-run")
        expect(page.locator(".ptp-banner")).to_contain_text(says)
    two.click("#ptp-stop")
    expect(three.locator(".ptp-banner")).to_contain_text("yours is the next run")
    two.click("#ptp-run")
    expect(two.locator(".ptp-banner")).to_contain_text("1 run is before yours")
    for page in (one, three):
        page.click("#ptp-stop")
    two.wait_for_function("PTPLab.raceState.live")
    two.click("#ptp-stop")


def test_a_prompt_that_is_typed_while_the_server_is_busy_stays(open_page):
    page, held = open_page(), []
    page.route("**/gradio_api/run/**", lambda route: held.append(route))
    first = EXAMPLES["small-function"]
    page.click("#ptp-which input")
    page.get_by_role("option", name=MODEL_LABELS[first.model]).click()
    expect(page.locator("#ptp-prompt textarea")).to_have_value(first.prompt)
    page.fill("#ptp-prompt textarea", "abc")
    assert held, "the server has not answered yet"
    for route in held:
        route.continue_()
    page.unroute("**/gradio_api/run/**")
    expect(page.locator("#ptp-example-small-function")).to_be_visible()
    expect(page.locator("#ptp-prompt textarea")).to_have_value("abc")
    method = page.locator("#ptp-method input")
    expect(method).to_have_value("shallow PTP (here: PQD)")  # this model has no shallow slots
    page.click("#ptp-which input")
    page.get_by_role("option", name=MODEL_LABELS[DEFAULT]).click()
    expect(page.locator("#ptp-example-sky")).to_be_visible()
    expect(page.locator("#ptp-prompt textarea")).to_have_value("abc")
    expect(method).to_have_value("shallow PTP")


def test_a_link_with_another_model_says_what_stands_in(open_page):
    page = open_page("?prompt=def+f&model=ptp-small&chat=0")
    expect(page.locator("#ptp-method input")).to_have_value("shallow PTP (here: PQD)")


def test_a_lost_network_is_told_and_the_page_comes_back(open_page, monkeypatch):
    monkeypatch.setattr("app.serving.line.LINE.place", lambda *_: {"running": True})
    slow(monkeypatch, 0.3)
    page = open_page()
    page.fill("#ptp-seed input", "11")  # of which no race is recorded
    page.click("#ptp-run")
    page.wait_for_function("PTPLab.raceState.live")
    page.evaluate("window.before = true")
    page.context.set_offline(True)
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("The server cannot be reached")
    assert not page.evaluate("PTPLab.raceState.busy")
    page.context.set_offline(False)
    monkeypatch.undo()  # the page is loaded anew, and asks for its race again
    page.wait_for_function(
        "!window.before && window.PTPLab?.raceState?.meta?.origin === 'live' && !PTPLab.raceState.live"
    )


def test_a_run_that_the_server_does_not_know_any_more_is_told(open_page, monkeypatch):
    slow(monkeypatch, 0.3)
    page = open_page()
    page.click("#ptp-run")
    page.wait_for_function("PTPLab.raceState.live")
    monkeypatch.setattr("app.serving.line.LINE.place", lambda *_: {"running": False, "place": 1, "seconds": None})
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("started anew")


def test_a_visitor_who_leaves_does_not_block_the_next(open_page, monkeypatch):
    slow(monkeypatch, 0.2)
    leaving = open_page()
    leaving.fill("#ptp-prompt textarea", "abc")
    leaving.click("#ptp-run")
    leaving.wait_for_function("PTPLab.raceState.live")
    leaving.close()
    monkeypatch.undo()
    began = time.monotonic()
    run(open_page(), "hgf")
    assert time.monotonic() - began < 10


def test_a_permalink_runs_the_same_race(open_page):
    page = open_page()
    text = run(page, "abc hg", 5)["texts"]
    link = page.url
    again = open_page("?" + link.split("?", 1)[1])
    again.wait_for_function(
        "PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded') && !PTPLab.raceState.live"
    )
    assert state(again)["texts"] == text
    assert again.input_value("#ptp-prompt textarea") == "abc hg"
    assert again.input_value("#ptp-seed input") == "5"


def test_a_permalink_of_a_recorded_race_needs_no_model(open_page):
    prompt = recorded_race("code").lanes["ptp"].prompt
    page = open_page(f"?prompt={prompt}")
    page.wait_for_function("PTPLab.raceState.run === 'recorded:code'")


def test_a_broken_permalink_says_so(open_page):
    page = open_page("?prompt=abc&temperature=warm", wait=False)
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("temperature must be a number")


def test_examples_open_at_once(open_page):
    page, model = open_page(), DEFAULT
    for name in sorted(recorded_names(), key=lambda name: EXAMPLES[name].model == model, reverse=True):
        if EXAMPLES[name].model != model:
            model = EXAMPLES[name].model
            page.click("#ptp-which input")
            page.get_by_role("option", name=MODEL_LABELS[model]).click()
        page.click(f"#ptp-example-{name}")
        page.wait_for_function(f"PTPLab.raceState.run === 'recorded:{name}'")
        expect(page.locator("#ptp-prompt textarea")).to_have_value(recorded_race(name).lanes["ptp"].prompt)
    assert model != DEFAULT


def test_download_and_upload_round_trip(open_page, tmp_path):
    page = open_page()
    shown = run(page, "abc", 9)
    with page.expect_download() as waiting:
        page.click('[data-do="save"]')
    file = tmp_path / "race.json"
    waiting.value.save_as(file)
    race = Race.from_text(file.read_text())
    assert race.lanes["ptp"].text == shown["texts"][1]
    other = open_page()
    other.set_input_files(".ptp-tools input[type=file]", file)
    other.wait_for_function("PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded')")
    for lane in ("ar", "ptp"):
        other.wait_for_function(f"PTPLab.raceState.lanes.{lane}.steps.length === {shown[lane]}")
    assert state(other)["texts"] == shown["texts"]


def test_a_foreign_file_gets_a_sentence_and_loses_nothing(open_page, tmp_path):
    page, foreign = open_page(), ('{"hello": 1}', "not a PTP Lab trace")
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length > 10")
    cut = [(content, "not whole JSON") for content in ("", '{"format": "ptp-race-1"', "<html>")]
    for content, reason in (cut[0], foreign, cut[1], foreign, cut[2]):  # so that every sentence is a new one
        (tmp_path / "bad.json").write_text(content)
        page.set_input_files(".ptp-tools input[type=file]", tmp_path / "bad.json")
        expect(page.locator(".ptp-banner.is-error")).to_contain_text(reason)
        assert state(page)["run"] == "recorded:code"
        assert state(page)["ptp"] > 10


def test_an_uploaded_race_fills_prompt_and_settings(open_page, tmp_path):
    race = json.loads(json.dumps(recorded_race("sky").to_dict()))
    for lane in ("ar", "ptp"):
        race[lane]["noise"]["seed"] = 12
        race[lane]["sampling"]["temperature"] = 0.3
        race[lane]["prompt"] = "another prompt"
    (tmp_path / "race.json").write_text(json.dumps(race))
    page = open_page()
    page.set_input_files(".ptp-tools input[type=file]", tmp_path / "race.json")
    expect(page.locator("#ptp-prompt textarea")).to_have_value("another prompt")
    expect(page.locator("#ptp-seed input")).to_have_value("12")
    expect(page.locator("#ptp-settings > button")).to_contain_text("temperature 0.3")


def test_a_single_trace_opens_as_one_lane(open_page, tmp_path):
    recorded_race("sky").lanes["ptp"].to_json(tmp_path / "trace.json")
    page = open_page()
    page.set_input_files(".ptp-tools input[type=file]", tmp_path / "trace.json")
    page.wait_for_function("PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded')")
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length > 10")
    assert state(page)["ar"] == 0


def test_bad_input_gets_a_sentence_and_loses_nothing(open_page):
    page = open_page()
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length > 10")
    for prompt, reason in (("   ", "Type a prompt"), ("ab " * 40_000, "tokens; with")):
        page.fill("#ptp-prompt textarea", prompt)
        page.click("#ptp-run")
        expect(page.locator(".ptp-banner.is-error")).to_contain_text(reason)
        assert state(page)["run"] == "recorded:code"
        assert page.input_value("#ptp-prompt textarea") == prompt


def test_pictures_of_the_race(open_page, tmp_path):
    page = open_page()
    run(page)
    with page.expect_download() as svg:
        page.click('[data-do="vector"]')
    svg.value.save_as(tmp_path / "race.svg")
    text = (tmp_path / "race.svg").read_text()
    assert text.startswith("<svg")
    assert "model calls" in text
    with page.expect_download() as png:
        page.click('[data-do="picture"]')
    png.value.save_as(tmp_path / "race.png")
    assert (tmp_path / "race.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "race.png").stat().st_size > 10_000


def test_presentation_mode_shows_prompt_lanes_drafts_and_strip(open_page):
    page = open_page()
    page.focus(".ptp-race")
    page.keyboard.press("p")
    for selector in (".ptp-asked", ".ptp-lane", ".ptp-legend", ".ptp-detail .ptp-drafts", ".ptp-strip"):
        expect(page.locator(selector).first).to_be_visible()
    expect(page.locator(".ptp-asked")).to_contain_text("palindrome")
    expect(page.locator(".ptp-tools")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator(".ptp-tools")).to_be_visible()
    expect(page.locator(".ptp-asked")).to_be_hidden()


def test_copy_link(open_page):
    page = open_page()
    run(page, "abc", 4)
    page.click('[data-do="link"]')
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_settings_sentence_and_reset(open_page):
    page = open_page()
    label = page.locator("#ptp-settings > button")
    expect(label).to_contain_text("temperature 0.7")
    label.click()
    box = page.locator("#ptp-settings input[type=number]").first
    expect(box).to_have_value("0.7")
    page.wait_for_timeout(500)  # Gradio mounts what an accordion holds when it opens, and listens a moment later
    box.fill("0")
    box.press("Tab")
    expect(label).to_contain_text("greedy")
    page.click("#ptp-reset")
    expect(label).to_contain_text("temperature 0.7")


def test_the_dice_changes_the_seed(open_page):
    page = open_page()
    page.click("#ptp-dice")
    page.wait_for_function("document.querySelector('#ptp-seed input').value !== '7'")


def test_charts_follow_the_run(open_page):
    page = open_page()
    page.click("#ptp-charts > button")
    page.wait_for_selector("#ptp-charts .js-plotly-plot")
    run(page)
    expect(page.locator("#ptp-charts")).to_contain_text("Tokens against model calls")
    expect(page.locator("#ptp-charts")).to_contain_text("Tokens per verifying call")


def test_a_model_that_is_not_there(open_page):
    page = open_page()
    page.click("#ptp-model > button")
    page.fill("#ptp-model-name textarea, #ptp-model-name input", "nobody/nothing at all")
    page.click("#ptp-model-load")
    expect(page.locator("#ptp-model-status")).to_contain_text("nobody/nothing")
    assert run(page)["texts"][0] != ""


def test_a_restarted_server_loads_the_visitors_model_again(open_page, demo, shelf):
    page = open_page()
    page.click("#ptp-model > button")
    page.fill("#ptp-model-name textarea, #ptp-model-name input", "other")
    page.click("#ptp-model-load")
    expect(page.locator("#ptp-model-status")).to_contain_text("other is loaded")
    demo.state_holder.session_data.clear()  # what a restart, or an hour without a click, forgets
    shelf._loadings.clear()
    run(page)
    expect(page.locator(".ptp-pill")).to_contain_text("other · adapter")
    assert shelf.is_loaded(ModelChoice("other"))


def test_hostile_tokens_show_as_text(open_page, tmp_path):
    (tmp_path / "hostile.json").write_text(json.dumps(hostile_race()))
    page = open_page()
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.set_input_files(".ptp-tools input[type=file]", tmp_path / "hostile.json")
    page.wait_for_function("PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded')")
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length > 10")
    page.wait_for_selector(".is-ar .ptp-token")
    texts = page.eval_on_selector_all(".is-ar .ptp-token", "nodes => nodes.map(n => n.textContent)")
    assert texts[0] == "${1+41}"
    assert texts[1] == "{{value}}"
    assert texts[2] == "\\"
    assert texts[3].startswith("<img") or "<img" in texts[3]
    assert "U+202E" in texts[5]
    assert "U+200B" in texts[6]
    assert texts[7] == "שלום"
    assert texts[10] == "↵↵"
    assert page.locator(".ptp-race img, .ptp-race script, .ptp-text b").count() == 0
    page.focus(".ptp-race")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    with page.expect_download():
        page.click('[data-do="vector"]')
    assert alerts == []


# WCAG's contrast ratio of every text against the nearest background that is painted behind it; what lies
# in the future of the replay is pale on purpose


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_overflows_and_text_has_contrast(open_page, theme):
    page = open_page(f"?__theme={theme}")
    page.wait_for_function("PTPLab.raceState.lanes.ptp.steps.length > 10 && PTPLab.raceState.head > 0")
    top = page.evaluate("document.querySelector('.ptp-detail').getBoundingClientRect().top")
    assert top < 700, "the first screen shows figures, timeline, lanes and the current call"
    for width in (1320, 390):
        at_width(page, width)
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 10
        assert {name: round(ratio, 2) for name, ratio in contrasts.items() if ratio < 4.5} == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_recorded_races_are_small_enough_for_git():
    assert sum(path.stat().st_size for path in RECORDED_FOLDER.iterdir()) < 1_000_000


def test_half_a_code_point_in_a_file_shows_as_a_code(open_page, tmp_path):
    race = json.loads(json.dumps(recorded_race("sky").to_dict()))
    for lane in ("ar", "ptp"):
        race[lane]["steps"][0]["emitted"][0]["text"] = "\ud83d"
    (tmp_path / "half.json").write_text(json.dumps(race))
    page = open_page()
    page.set_input_files(".ptp-tools input[type=file]", tmp_path / "half.json")
    page.wait_for_function("PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded')")
    expect(page.locator(".is-ar .ptp-token").first).to_have_text("\ufffd")
    expect(page.locator(".ptp-pill")).to_contain_text("uploaded")


def test_a_seed_below_zero_gets_a_sentence_and_the_page_stays_usable(open_page):
    page = open_page()
    page.fill("#ptp-seed input", "-4")
    page.click("#ptp-run")
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("seed")
    page.click(".ptp-close")
    expect(page.locator(".ptp-banner")).to_be_hidden()
    assert run(page, seed=4)["ptp"] > 0


def test_the_lane_scrolls_with_the_replay(open_page):
    page = open_page()
    page.click("#ptp-example-code")  # longer than its lane is high
    page.wait_for_function("PTPLab.raceState.run === 'recorded:code' && PTPLab.raceState.lanes.ptp.steps.length > 10")
    page.wait_for_function("PTPLab.raceState.lanes.ar.steps.length === 64")
    page.focus(".ptp-race")
    page.keyboard.press("End")
    for lane in ("ar", "ptp"):
        inside = page.evaluate(
            f"""() => {{ const box = document.querySelector('.is-{lane} .ptp-text').getBoundingClientRect();
            const all = [...document.querySelectorAll('.is-{lane} .ptp-token:not(.is-future)')];
            const last = all[all.length - 1].getBoundingClientRect();
            return [last.bottom <= box.bottom + 1, last.top >= box.top - 1,
                    document.querySelector('.is-{lane} .ptp-text').scrollTop]; }}"""
        )
        assert inside[:2] == [True, True]
        assert inside[2] > 50, "the text is longer than the lane, so it has moved"
    page.keyboard.press("Home")
    assert page.evaluate("document.querySelector('.is-ar .ptp-text').scrollTop") == 0


def test_the_presentation_can_be_left_by_pointer_and_holds_the_keyboard(open_page):
    page = open_page(width=390)
    page.click('[data-do="present"]')
    assert page.evaluate("document.querySelector('#ptp-prompt textarea').closest('[inert]') !== null")
    page.click('[data-do="leave"]')
    assert page.evaluate("document.querySelector('[inert]')") is None
    expect(page.locator(".ptp-race.is-presenting")).to_have_count(0)
    page.fill("#ptp-prompt textarea", "still here")


def test_a_link_belongs_to_the_race_on_screen(open_page, tmp_path):
    page = open_page()
    run(page, "abc")
    assert "prompt=abc" in page.url
    page.click("#ptp-example-code")
    page.wait_for_function("PTPLab.raceState.run === 'recorded:code'")
    assert "palindrome" in page.url
    (tmp_path / "race.json").write_text(json.dumps(recorded_race("list").to_dict()))
    page.set_input_files(".ptp-tools input[type=file]", tmp_path / "race.json")
    page.wait_for_function("!PTPLab.raceState.run.startsWith('recorded')")
    assert "prompt" not in page.url
    page.click('[data-do="link"]')
    expect(page.locator('[data-do="link"]')).to_contain_text("No link")


def test_charts_follow_an_uploaded_file(open_page, tmp_path):
    page = open_page()
    page.click("#ptp-charts button")
    page.wait_for_selector("#ptp-charts .js-plotly-plot")
    (tmp_path / "race.json").write_text(json.dumps(recorded_race("translation").to_dict()))
    page.set_input_files(".ptp-tools input[type=file]", tmp_path / "race.json")
    tokens = len(recorded_race("translation").lanes["ptp"].tokens)
    page.wait_for_function(
        "n => [...document.querySelectorAll('#ptp-charts .js-plotly-plot')].some(p => p.data && p.data.some(t => "
        "t.y && Math.max(...t.y) === n))",
        arg=tokens,
    )


def test_a_links_settings_stand_in_the_sentence(open_page):
    for _ in range(3):
        page = open_page("?prompt=abc&draft_budget=auto&temperature=0.4", wait=False)
        expect(page.locator("#ptp-settings > button")).to_contain_text("budget auto")
        page.wait_for_function("window.PTPLab?.raceState?.summary && !PTPLab.raceState.busy")
        expect(page.locator("#ptp-settings > button")).to_contain_text("temperature 0.4")
        expect(page.locator("#ptp-settings > button")).to_contain_text("budget auto")
        page.context.close()


def test_back_leads_through_what_was_shown_and_stays_on_the_site(open_page):
    page = open_page()
    for name in ("sky", "list", "story", "translation"):
        page.click(f"#ptp-example-{name}")
        page.wait_for_function(f"PTPLab.raceState.run === 'recorded:{name}'")
    for name in ("story", "list", "sky"):
        page.go_back()
        page.wait_for_function(f"window.PTPLab?.raceState?.run === 'recorded:{name}'")
        assert page.input_value("#ptp-prompt textarea") == recorded_race(name).lanes["ptp"].prompt


def test_pages_remember_each_others_text(open_page):
    page = open_page()
    run(page, "abc hg", 5)
    for path in ("Learn", "Noise"):
        page.locator("header nav a", has_text=path).click()
        page.wait_for_selector(".nz-token" if path == "Noise" else ".learn-svg > *")
    assert "prompt=abc+hg" in page.url and "seed=5" in page.url
    expect(page.locator("#ptp-prompt textarea")).to_have_value("abc hg")
    expect(page.locator("#ptp-seed input")).to_have_value("5")
    page.locator("header nav a", has_text="Race").click()
    page.wait_for_selector(".ptp-race .ptp-token")
    expect(page.locator("#ptp-prompt textarea")).to_have_value("abc hg")
