"""The Acceptance page as a visitor uses it."""

from __future__ import annotations

import gzip
import json
import re
import time

import pytest
from playwright.sync_api import Page, expect
from support.pages import at_width, counts, slow, wait_for_gradio

from app.acceptance.exhibits import failures

pytestmark = pytest.mark.browser

SHOWN = "() => { const s = PTPLab.acceptanceState; return {id: s.view && s.view.id, method: s.method, point: s.point, "
SHOWN += "category: s.category, other: s.other, origin: s.view && s.view.origin, complete: s.view && s.view.complete, "
SHOWN += "exhibits: s.exhibits.map(e => e.id), busy: s.busy, "
SHOWN += "origins: s.list.map(e => e.origin)} }"
ROWS = """() => Object.values(Object.groupBy([...document.querySelectorAll(".ptp-exhibit")]
  .map((n) => n.getBoundingClientRect()), (box) => Math.round(box.top))).map((row) => row.map((box) => box.width))"""
MARK = ".ptp-chart .ptp-mark"


@pytest.fixture
def open_acceptance(open_page):
    """open_acceptance(query="", **options) -> the page with its charts drawn; console errors fail the test."""
    errors = []

    def open_(query: str = "", **options) -> Page:
        page = open_page("acceptance" + query, wait=False, **options)
        page.on("console", lambda message: errors.append(message.text) if counts(message) else None)
        page.wait_for_selector(".ptp-chart")
        wait_for_gradio(page)
        return page

    yield open_
    assert errors == []


def state(page: Page) -> dict:
    return page.evaluate(SHOWN)


def until(page: Page, condition: str) -> None:
    page.wait_for_function(
        f"(() => {{ const s = window.PTPLab && PTPLab.acceptanceState; return s && {condition} }})()"
    )


def start_run(page: Page, prompts: str = "abc\nhg fe") -> None:
    page.click("#ptp-bench > button")
    page.click("text=my own prompts")
    page.fill("#ptp-bench-prompts textarea", prompts)
    page.click("#ptp-bench-run")


def test_it_opens_on_shipped_results_before_any_model(open_acceptance, results):
    page = open_acceptance()
    shown = state(page)
    assert (shown["id"], shown["method"], shown["category"]) == ("default", "pqd", "")
    assert {"position", "entropy", "margin", "class", "confidence", "lengths", "slots", "bounds"} <= set(
        shown["exhibits"]
    )
    figures = results.get("default").result.methods["pqd"]
    first = page.locator(".ptp-figure").first
    expect(first.locator("b")).to_have_text(f"{figures['tokens_per_call']:.2f}")
    expect(first).to_contain_text(f"{figures['num_tokens']} tokens in {figures['num_calls']} calls")
    expect(page.locator(".ptp-figure b").nth(3)).to_have_text("✓ 4 / 4")
    assert page.locator(".ptp-table tbody tr").count() == 4
    for text in page.locator(".ptp-over").all_inner_texts():
        assert results.get("default").result.environment["device"] in text
    assert page.locator(".ptp-exhibit").count() == page.locator(".ptp-chart").count() + 1 == len(shown["exhibits"])


def test_failed_drafts_stand_in_their_contexts(open_acceptance):
    page = open_acceptance()
    table = page.locator('[data-exhibit="failures"] table')
    expect(table.locator("thead th")).to_have_text(
        ["text so far", "draft", "text's token", "u", "margin", "confidence"]
    )
    expect(table.locator("tbody tr .is-rejected").first).to_be_visible()
    assert 0 < table.locator("tbody tr").count() <= 24
    expect(page.locator('[data-exhibit="failures"] .ptp-says')).to_contain_text("failed")


def test_a_failed_draft_without_a_text_leads_to_its_race(open_acceptance, monkeypatch):
    """As in a result that does not hold the texts of drafts."""
    plain = failures._item

    def item(look, row, position, call):
        query = "prompt=abc&seed=3" if position % 2 else None
        return {**plain(look, row, position, call), "wrong": "", "link": query}

    monkeypatch.setattr(failures, "_item", item)
    page = open_acceptance()
    page.click(".ptp-table [data-method=ptp]")
    until(page, "s.method === 'ptp' && s.exhibits[0].over.startsWith('PTP, ')")
    cells = page.locator('[data-exhibit="failures"] tbody td:nth-child(2)')
    link = cells.locator("a").first
    expect(link).to_have_text("see its race")
    expect(link).to_have_attribute("href", "./?prompt=abc&seed=3")
    expect(cells.filter(has_text="not kept").first).to_be_visible()
    expect(page.locator('[data-exhibit="failures"] .ptp-says')).to_contain_text("a race shows the draft itself")


def test_a_category_a_method_and_a_comparison_are_in_the_link(open_acceptance):
    page = open_acceptance()
    page.select_option("[data-choose=category]", "cd")
    until(page, "s.category === 'cd' && s.exhibits[0].over.includes('category cd')")
    page.click(".ptp-table [data-method=ptp]")
    until(page, "s.method === 'ptp' && s.exhibits[0].over.startsWith('PTP, ')")
    page.select_option("[data-choose=other]", "default|pqd|")
    until(page, "s.others")
    expect(page.locator("[data-exhibit=position] .ptp-key")).to_contain_text("PTP with branches (PQD)")
    assert page.locator("[data-exhibit=position] .ptp-mark.is-series-1").count() > 0
    again = open_acceptance("?" + page.url.split("?", 1)[1])
    until(again, "s.others && s.category === 'cd' && s.method === 'ptp'")
    expect(again.locator("[data-exhibit=position] .ptp-says").nth(1)).to_contain_text("Hatched")
    texts = [p.locator(".ptp-figure b").all_inner_texts() for p in (page, again)]
    assert texts[0] == texts[1]


def test_a_link_to_what_is_gone_says_so_and_shows_the_rest(open_acceptance):
    page = open_acceptance("?result=gone&method=ptp")
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("no longer in memory")
    assert state(page)["id"] == "default"
    other = open_acceptance("?result=default&category=nowhere")
    expect(other.locator(".ptp-banner")).to_contain_text("nowhere")
    assert state(other)["category"] == ""


def test_from_a_bar_to_its_questions_to_the_race(open_acceptance, results):
    page = open_acceptance()
    page.locator(f"[data-exhibit=position] {MARK}").first.click()
    behind = page.locator("[data-exhibit=position] .ptp-behind")
    expect(behind.locator("li").first).to_be_visible()
    share = results.get("default").analysis("pqd", "", None)["by_position"][0]
    told = [text.split() for text in behind.locator(".ptp-q-count").all_inner_texts()]
    assert sum(int(words[0]) for words in told) == share["right"]
    assert sum(int(words[2]) for words in told) == share["count"]
    expect(page.locator(".ptp-acceptance .ptp-spoken")).to_contain_text("behind draft 1")
    head = behind.locator("li").first
    prompt, seed = head.locator(".ptp-q-prompt").inner_text(), head.locator(".ptp-q-head").inner_text()
    text = head.locator(".ptp-q-text").inner_text()
    head.locator("a").click()
    page.wait_for_function(
        "window.PTPLab && PTPLab.raceState && PTPLab.raceState.run && !PTPLab.raceState.run.startsWith('recorded') "
        "&& !PTPLab.raceState.live && PTPLab.raceState.summary.lanes.ptp "
        "&& PTPLab.raceState.lanes.ptp.steps.length === PTPLab.raceState.summary.lanes.ptp.calls"
    )
    assert page.evaluate("PTPLab.raceState.meta.prompt") == prompt
    assert f"seed {page.evaluate('PTPLab.raceState.meta.seed')}" in seed
    raced = page.evaluate("PTPLab.raceState.lanes.ptp.tokens.map(t => t.text).join('')")
    assert re.sub(r"\s+", " ", raced).strip() == text, "the same noise gives the same text"


def test_charts_by_keyboard(open_acceptance):
    page = open_acceptance()
    marks = page.locator(f"[data-exhibit=entropy] {MARK}")
    assert [marks.nth(i).get_attribute("tabindex") for i in range(3)] == ["0", "-1", "-1"], "one stop per chart"
    marks.first.focus()
    tip = page.locator("[data-exhibit=entropy] .ptp-tip")
    expect(tip).to_be_visible()
    expect(tip).to_have_text(marks.first.get_attribute("aria-label"))
    page.keyboard.press("ArrowRight")
    expect(marks.nth(1)).to_be_focused()
    expect(tip).to_have_text(marks.nth(1).get_attribute("aria-label"))
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("[data-exhibit=entropy] .ptp-behind")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".ptp-behind")).to_have_count(0)
    expect(marks.first).to_be_focused()


def test_every_bar_says_its_counts(open_acceptance, results):
    page = open_acceptance()
    labels = page.eval_on_selector_all(
        f"[data-exhibit=position] {MARK}", "nodes => nodes.map(n => n.getAttribute('aria-label'))"
    )
    shares = results.get("default").analysis("pqd", "", None)["by_position"]
    for label, share in zip(labels, shares, strict=True):
        wanted = f"{share['right']} of {share['count']} right" if share["count"] else "none seen"
        assert label.startswith(f"draft {share['label']}: {wanted}")


def test_sweeps_show_lines_and_their_points(open_acceptance):
    page = open_acceptance()
    page.select_option("[data-choose=result]", "default-sweeps")
    until(page, "s.view.id === 'default-sweeps' && s.exhibits[0].kind === 'lines'")
    marks = page.locator("[data-exhibit=sweep-draft_budget-tokens_per_call] .ptp-chart .ptp-mark")
    assert marks.count() == 3
    page.select_option("[data-choose=point]", "draft_budget=4")
    until(page, "s.point === 'draft_budget=4' && s.exhibits.some(e => e.over.includes('draft budget 4'))")
    assert "point=draft_budget%3D4" in page.url


def test_a_live_run_joins_the_results(open_acceptance):
    page = open_acceptance()
    start_run(page)
    until(page, "s.view.origin === 'live' && s.view.complete && !s.busy")
    expect(page.locator(".ptp-acceptance .ptp-banner")).to_be_hidden()
    expect(page.locator(".ptp-figure b").nth(3)).to_have_text("✓ 2 / 2")
    assert state(page)["method"] == "shallow"
    expect(page.locator(".ptp-acceptance .ptp-spoken")).to_contain_text("The run is done")
    live = state(page)["id"]
    page.select_option("[data-choose=result]", "default")
    until(page, "s.view.id === 'default'")
    page.select_option("[data-choose=other]", f"{live}|shallow|")
    until(page, "s.others")
    expect(page.locator("[data-exhibit=position] .ptp-key span").last).to_contain_text("2 questions")
    page.reload()
    until(page, "s.others && s.list.some(e => e.origin === 'live')")


def test_stop_keeps_what_was_answered_and_run_works_again(open_acceptance, monkeypatch, results):
    page = open_acceptance()
    slow(monkeypatch, 0.03)
    start_run(page, "abc\nhg fe\naabb\nd.e.f\nabc abc")
    until(page, "s.view.origin === 'live'")
    page.click(".ptp-acceptance .ptp-stop")
    expect(page.locator(".ptp-acceptance .ptp-banner")).to_contain_text("Stopped. The answers so far stay")
    until(page, "s.view.origin === 'live' && !s.busy && !s.view.complete")
    monkeypatch.undo()
    expect(page.locator(".ptp-caption")).to_contain_text("not complete")
    kept = state(page)["id"]
    rows = page.locator(".ptp-table tbody tr").count()
    assert rows >= 1
    time.sleep(1)
    assert len(results.get(kept).result.rows) < 10
    page.click("#ptp-bench-run")
    until(page, f"s.view.id !== '{kept}' && s.view.complete && !s.busy")


def test_stop_reaches_a_run_that_waits(open_acceptance, monkeypatch):
    slow(monkeypatch, 0.05)
    one, two = open_acceptance(), open_acceptance()
    start_run(one)
    until(one, "s.busy")
    one.wait_for_timeout(400)
    start_run(two, "aabb")
    expect(two.locator(".ptp-acceptance .ptp-banner")).to_contain_text("take turns")
    two.click(".ptp-acceptance .ptp-stop")
    expect(two.locator(".ptp-acceptance .ptp-banner")).to_contain_text("Stopped before the first answer")
    monkeypatch.undo()
    until(one, "s.view.origin === 'live' && s.view.complete && !s.busy")
    assert "live" not in state(two)["origins"]


def test_bad_input_gets_a_sentence_and_loses_nothing(open_acceptance):
    page = open_acceptance()
    for prompts, reason in (("  ", "Type a prompt"), ("abc\n" * 60, "60 prompts")):
        if page.locator("#ptp-bench-prompts").is_visible():
            page.fill("#ptp-bench-prompts textarea", prompts)
            page.click("#ptp-bench-run")
        else:
            start_run(page, prompts)
        expect(page.locator(".ptp-banner.is-error")).to_contain_text(reason)
        assert page.input_value("#ptp-bench-prompts textarea") == prompts
        assert state(page)["id"] == "default"
        assert not state(page)["busy"]


DAMAGED = [  # each with another sentence than the one before
    ("", "not whole JSON"),
    ('{"hello": 1}', "not a benchmark result"),
    ('{"kind": "ptp-lab-benchmark"', "not whole JSON"),
    ('{"kind": "ptp-lab-benchmark", "schema_version": 1}', "schema version 1"),
    ('{"kind": "ptp-lab-benchmark", "schema_version": 2}', "incomplete"),
    ("x" * (25 << 20), "too large"),
]


def test_a_damaged_file_gets_a_sentence_and_loses_nothing(open_acceptance, tmp_path):
    page = open_acceptance()
    for content, reason in DAMAGED:
        (tmp_path / "bad.json").write_text(content)
        page.set_input_files(".ptp-acceptance input[type=file]", tmp_path / "bad.json")
        expect(page.locator(".ptp-banner.is-error")).to_contain_text(reason)
        assert state(page)["id"] == "default"
        assert page.locator(".ptp-exhibit").count() == len(state(page)["exhibits"])


HOSTILE = "<img src=x onerror=window.hacked=1>{{value}}${1+41}\\ \u202e\u0000</script>"


def test_hostile_text_stays_text(open_acceptance, tmp_path, results):
    data = json.loads(json.dumps(results.get("default").result.to_dict()))
    for question in data["questions"]:
        question["prompt"] = HOSTILE
        question["category"] = "<b>kind</b>"
    for row in data["rows"]:
        row["text"] = HOSTILE
        row["category"] = "<b>kind</b>"
    data["environment"] |= {"device": "<i>cpu</i>", "model": "<script>window.hacked=1</script>"}
    (tmp_path / "<b>mine.json").write_text(json.dumps(data))
    page = open_acceptance()
    page.set_input_files(".ptp-acceptance input[type=file]", tmp_path / "<b>mine.json")
    until(page, "s.view.origin === 'uploaded'")
    page.locator(f"[data-exhibit=position] {MARK}").first.click()
    expect(page.locator(".ptp-q-prompt").first).to_contain_text("<img src=x onerror=window.hacked=1>{{value}}${1+41}\\")
    expect(page.locator(".ptp-q-prompt .ptp-code").first).to_have_text("U+202E")
    expect(page.locator(".ptp-over").first).to_contain_text("<i>cpu</i>")
    assert page.locator(":is(.ptp-acceptance) :is(img, script)").count() == 0
    assert page.evaluate("window.hacked") is None


def test_exports(open_acceptance, tmp_path):
    page = open_acceptance()

    def saved(selector: str, name: str) -> bytes:
        with page.expect_download() as waiting:
            page.click(selector)
        waiting.value.save_as(tmp_path / name)
        return (tmp_path / name).read_bytes()

    assert saved("[data-do=csv]", "a.csv").decode().startswith("question_id,category,method")
    assert json.loads(saved("[data-do=json]", "a.json"))["kind"] == "ptp-lab-benchmark"
    picture = saved("[data-exhibit=position] [data-save=svg]", "a.svg").decode()
    assert picture.startswith("<svg")
    assert "The first draft of a call was right" in picture
    assert "ring: right at its own place" in picture
    assert "var(" not in picture, "the picture stands without the page's css"
    assert saved("[data-exhibit=class] [data-save=png]", "a.png")[:8] == b"\x89PNG\r\n\x1a\n"
    page.set_input_files(".ptp-acceptance input[type=file]", tmp_path / "a.json")
    until(page, "s.view.origin === 'uploaded' && s.view.name === 'a'")


def test_compressed_results_open_and_damaged_ones_get_a_sentence(open_acceptance, tmp_path, results):
    content = gzip.compress(json.dumps(results.get("default").result.to_dict()).encode())
    (tmp_path / "mine.json.gz").write_bytes(content)
    (tmp_path / "cut.json.gz").write_bytes(content[: len(content) // 2])
    page = open_acceptance()
    page.set_input_files(".ptp-acceptance input[type=file]", tmp_path / "cut.json.gz")
    expect(page.locator(".ptp-banner.is-error")).to_contain_text("damaged or cut off")
    page.set_input_files(".ptp-acceptance input[type=file]", tmp_path / "mine.json.gz")
    until(page, "s.view.origin === 'uploaded' && s.view.name === 'mine'")


def test_a_sweep_without_rows_outside_it_offers_its_points_only(open_acceptance, tmp_path, results):
    data = json.loads(json.dumps(results.get("default-sweeps").result.to_dict()))
    data["rows"] = [row for row in data["rows"] if row["point"]]
    assert data["rows"]
    (tmp_path / "warm.json").write_text(json.dumps(data))
    page = open_acceptance()
    page.set_input_files(".ptp-acceptance input[type=file]", tmp_path / "warm.json")
    until(
        page, "s.view.origin === 'uploaded' && s.exhibits.length && document.querySelector('[data-choose=point]').value"
    )
    offered = page.eval_on_selector_all("[data-choose=point] option", "nodes => nodes.map(n => n.value)")
    assert offered
    assert "" not in offered
    assert page.locator("[data-choose=point]").input_value() in offered


@pytest.mark.parametrize("query", ["", "?__theme=dark"])
def test_a_phone_sees_everything_without_scrolling_sideways(open_acceptance, query):
    page = open_acceptance(query, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for chart in page.locator(".ptp-chart").all():
        box = chart.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    page.locator(f"[data-exhibit=class] {MARK}").first.click()
    expect(page.locator(".ptp-behind li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("query", ["", "?result=default&method=ptp", "?result=sweep&method=pqd"])
def test_every_row_of_charts_is_full(open_acceptance, query):
    page = open_acceptance(query, width=1366)
    for width, columns in ((1366, 2), (1920, 3), (390, 1)):
        at_width(page, width)
        rows = page.evaluate(ROWS)
        assert max(map(len, rows)) == columns
        whole = page.locator(".ptp-exhibits").bounding_box()["width"]
        for row in rows:
            assert sum(row) + 12 * (len(row) - 1) == pytest.approx(whole, abs=2), rows


def test_charts_follow_the_width(open_acceptance):
    page = open_acceptance()
    wide = page.locator(".ptp-chart").first.bounding_box()["width"]
    page.set_viewport_size({"width": 800, "height": 800})
    page.wait_for_function(f"document.querySelector('.ptp-chart').getBoundingClientRect().width < {wide - 100}")


def test_two_series_differ_by_more_than_colour(open_acceptance):
    page = open_acceptance("?with=default|ptp|")
    until(page, "s.others")
    fills = page.evaluate(
        "[0, 1].map(i => getComputedStyle(document.querySelector('[data-exhibit=class] .ptp-chart .is-series-' + i + "
        "' .ptp-bar')).fill)"
    )
    assert "ptp-hatch" in fills[1]
    assert "ptp-hatch" not in fills[0]


def test_a_study_is_charts_alone(open_acceptance):
    page = open_acceptance("?result=pays")
    page.wait_for_selector("[data-exhibit=curve-tokens] .ptp-chart")
    assert state(page)["exhibits"] == ["curve-tokens", "curve-places", "pair-tokens"]
    assert page.locator(".ptp-exhibit .ptp-chart").count() == 3
    for hidden in (".ptp-table-box", ".ptp-acceptance .ptp-figures", ".ptp-none", "[data-choose=method]"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("[data-exhibit=curve-tokens] .ptp-key")).to_contain_text("blind")
    page.locator("[data-exhibit=curve-tokens] .ptp-mark").nth(1).focus()
    expect(page.locator("[data-exhibit=curve-tokens] .ptp-tip")).to_contain_text("+0.100 beside u-blind")
    with page.expect_download() as saved:
        page.click("[data-exhibit=curve-tokens] [data-save=svg]")
    assert saved.value.suggested_filename == "ptp-pays-curve-tokens.svg"
    page.select_option("[data-choose=result]", "default")
    until(page, "s.view && s.view.id === 'default' && s.method === 'pqd'")
    for shown in (".ptp-table-box", "[data-choose=method]"):
        expect(page.locator(shown)).to_be_visible()
