"""The browser's pure functions, each imported from its module in Chromium: scales, text, files, the wire, clocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from app import modules
from app.acceptance.view import result_view
from app.race.races import recorded_race
from app.race.view import chunk_view, summary_view
from app.shared import shared
from ptp_core.analysis import nearest_flip

pytestmark = pytest.mark.browser

HOST = "http://modules.test/"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Call]:
    """call(module, expression, argument): the value of an expression of the module's exports `m` and of `x`."""
    context = browser.new_context()

    def answer(route: Any) -> None:
        text = modules.sources().get(route.request.url.removeprefix(HOST))
        kind = "text/html" if text is None else "text/javascript"
        route.fulfill(body=text or b"<!doctype html>", content_type=f"{kind}; charset=utf-8")

    context.route(f"{HOST}**", answer)
    page = context.new_page()
    page.goto(HOST)

    def call(module: str, expression: str, argument: Any = None) -> Any:
        script = f"async ([url, x]) => {{ const m = await import(url); return {expression}; }}"
        return page.evaluate(script, [HOST + module, argument])

    yield call
    context.close()


# ---- text --------------------------------------------------------------------------------------------------

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (" two words", "␣two words"),
        ("two  spaces", "two ␣spaces"),
        ("end ", "end␣"),
        ("a\nb\tc", "a↵b⇥c"),
        ("a\u200bb", "a‹U+200B›b"),
        ("\u202eevil", "‹U+202E›evil"),
        ("\u00a0", "‹U+00A0›"),
        (FAMILY, FAMILY),
        ("\u200d", "‹U+200D›"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_gets_a_sign(call, text, shown):
    assert call("core/text.js", "m.plain(x)", text) == shown


def test_half_a_character_gets_its_code(call):
    assert call("core/text.js", r'm.plain("a\ud83d")') == "a‹U+D83D›"
    assert call("core/text.js", r'm.plain("\ude00a")') == "‹U+DE00›a"
    assert call("core/text.js", r'm.plain("\ud83d\ude00")') == "😀"


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("The sky", "ltr"),
        ("السماء زرقاء", "rtl"),
        ("שלום", "rtl"),
        (" 12: «السماء» is blue", "rtl"),
        ("The word السماء", "ltr"),
        ("ݐݑ", "rtl"),  # Arabic of other languages
        ("ܫܠܡܐ", "rtl"),  # Syriac
        ("空", "ltr"),
        ("123 …", "ltr"),
        ("", "ltr"),
    ],
)
def test_a_text_reads_in_the_direction_of_its_first_letter(call, text, direction):
    assert call("core/text.js", "m.direction(x)", text) == direction
    tokens = [{"text": character} for character in text]
    assert call("core/text.js", "m.directionOf(x)", tokens) == direction


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1, "100 %"),
        (0.5, "50 %"),
        (0.0996, "10 %"),
        (0.0994, "9.9 %"),
        (0.00996, "1.0 %"),
        (0.00123, "0.12 %"),
        (0, "0.00 %"),
    ],
)
def test_percent_has_more_digits_the_smaller_it_is(call, share, shown):
    assert call("core/text.js", "m.percent(x)", share) == shown


def test_counted(call):
    assert call("core/text.js", "[m.counted(1, 'token'), m.counted(0, 'token'), m.counted(12345, 'call')]") == [
        "1 token", "0 tokens", "12,345 calls",
    ]  # fmt: skip


def test_the_nearest_other_roll_is_told(call):
    bins = [
        {"text": " of", "prob": 0.3, "left": 0.0, "own": False},
        {"text": " in", "prob": 0.5, "left": 0.3, "own": True},
    ]
    token = {"u": 0.332, "margin": 0.032, "flip": 0.29999, "candidates": bins}
    told = [
        token,
        {**token, "u": 0.75, "margin": 0.05, "flip": 0.8},
        {**token, "margin": None, "flip": None},
        {**token, "flip": None},
    ]
    assert call("race/token.js", "x.map(m.nearMiss)", told) == [
        "a roll 0.032 lower would have given “␣of”",
        "a roll 0.050 higher would have given another token",
        "no other token was possible",
        "another token was 0.032 away",
    ]


def test_breaks_follow_a_token(call):
    breaks = "m.breaksOf(x).map((node) => node.className)"
    assert call("core/text.js", breaks, "a") == []
    assert call("core/text.js", breaks, "a\n") == [""]
    assert call("core/text.js", breaks, "\n\n\n") == ["", "ptp-gap"]


# ---- files and addresses -----------------------------------------------------------------------------------


def test_csv_quotes_what_needs_it_and_what_a_spreadsheet_would_run(call):
    rows = [["a", 1.5], ['say "x"', "1,2"], ["=SUM(A1)", "-1"], ["line\nbreak", -1]]
    assert call("core/save.js", "m.csv(x)", rows) == (
        'a,1.5\r\n"say ""x""","1,2"\r\n\'=SUM(A1),\'-1\r\n"line\nbreak",-1\r\n'
    )


def test_the_address_keeps_the_theme_and_no_link_that_is_too_long(call):
    after = "(history.replaceState(null, '', '/?a=1&__theme=dark'), m.remember(x), location.search)"
    assert call("core/address.js", after, "prompt=b%20c") == "?prompt=b%20c&__theme=dark"
    assert call("core/address.js", after, None) == "?__theme=dark"
    assert call("core/address.js", after, "p=" + "x" * 8000) == "?__theme=dark"


def test_edits_of_a_link_come_back(call):
    edits = {"0": 0.25, "7": 0.1234567, "8.41": 0.75, "90": 0.5}  # 8.41: the clock of token 41 at position 8
    kept = {"0": 0.25, "7": 0.1234567, "8.41": 0.75}
    assert call("noise/links.js", "m.editsIn(m.editsAsText(x, 90))", edits) == kept
    assert call("noise/links.js", "m.editsIn(x)", "1:0.5,2:1,-3:0.5,x:0.5,4,5:,6:nan,7.x:0.1,.5:0.1") == {"1": 0.5}
    assert call("noise/links.js", "m.editsIn('')") == {}


def test_a_choice_as_one_word_comes_back(call):
    choice = {"result": "default", "method": "ptp", "point": "draft_budget=8"}
    assert call("acceptance/results.js", "m.choiceOf(m.choiceText(x))", choice) == choice
    assert call("acceptance/results.js", "[m.choiceText(null), m.choiceOf('')]") == ["", None]
    assert call("acceptance/results.js", "m.inWords('draft_budget=8')") == "draft budget 8"


# ---- the wire ----------------------------------------------------------------------------------------------


def test_calls_come_over_the_wire_whole(call):
    race = recorded_race("sky")
    steps = race.lanes["ptp"].steps
    found = call("core/wire.js", "m.chunk(x)", json.loads(json.dumps(chunk_view(steps, 3))))
    assert (found["start"], found["total"]) == (3, len(steps))
    for i, (decoded, step) in enumerate(zip(found["steps"], steps[3:], strict=False), 3):
        assert (decoded["index"], decoded["kind"]) == (i, step.kind)
        assert decoded["seconds"] == pytest.approx(step.seconds, abs=1e-5)
        assert (decoded["positions"], decoded["accepted"]) == (step.num_positions, step.num_accepted)
        assert decoded["extra"] == step.extra_kind
        assert [(d["text"], d["status"]) for d in decoded["drafts"]] == [(d.text, d.status) for d in step.drafts]
        assert [(b["assumed"], b["kept"]) for b in decoded["branches"]] == [
            (b.num_assumed, b.kept) for b in step.branches
        ]
        for token, emitted in zip(decoded["emitted"], step.emitted, strict=True):
            assert (token["position"], token["text"], token["source"]) == (
                emitted.position,
                emitted.text,
                emitted.source,
            )
            assert token["u"] == pytest.approx(emitted.u, abs=1e-6)
            assert (token["left"], token["right"]) == pytest.approx((emitted.left, emitted.right), abs=1e-6)
            assert [c["text"] for c in token["candidates"]] == [c.text for c in emitted.candidates]
            assert [e["text"] for e in token["excluded"]] == [e.text for e in emitted.excluded]
            assert (token["omitted"], token["filtered"]) == pytest.approx(
                (emitted.omitted_mass, emitted.excluded_mass), abs=1e-5
            )
            assert token["flip"] == pytest.approx(nearest_flip(emitted), abs=3e-6)
            assert token["call"] == i
            assert token["alone"] == (emitted.source == "bonus" and not step.drafts)
    assert any(token["alone"] is False and token["source"] == "bonus" for s in found["steps"] for token in s["emitted"])


def test_a_result_comes_over_the_wire_whole(call, results):
    name = results.names()[0]
    view = json.loads(json.dumps(result_view(name, results.get(name))))
    found = call("core/wire.js", "m.result(x)", view)
    assert {point: sorted(methods) for point, methods in found["points"].items()} == {
        point: sorted(methods) for point, methods in view["points"].items()
    }
    for point, methods in view["points"].items():
        for method, raw in methods.items():
            decoded = found["points"][point][method]
            assert decoded["all"]["perCall"] == raw["all"]["tpc"]
            assert decoded["all"]["speedInterval"] == raw["all"]["speed_i"]
            assert sorted(decoded["byCategory"]) == sorted(raw["by_category"])
            assert None not in [decoded["all"][key] for key in ("questions", "tokens", "calls")]
    line = {key: view[key] for key in ("id", "name", "title", "origin", "drafting", "categories")}
    assert call("core/wire.js", "m.packed(m.entry(x))", line) == line


def test_python_and_the_browser_share_one_source(call):
    assert call("core/shared.js", "({...m})") == shared()


# ---- the race ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def race_state() -> dict[str, Any]:
    race = recorded_race("sky")
    lanes = {lane: json.loads(json.dumps(chunk_view(trace.steps, 0))) for lane, trace in race.lanes.items()}
    return {"lanes": lanes, "summary": json.loads(json.dumps(summary_view(race)))}


IN_STATE = """(async () => {
  const { chunk } = await import(new URL("/core/wire.js", location.href));
  const { fresh, add } = await import(new URL("/race/lanes.js", location.href));
  const state = Object.assign(fresh(), { summary: x.summary });
  for (const name of ["ar", "ptp"]) add(state.lanes[name], chunk(x.lanes[name]));
  return %s;
})()"""


def test_the_clock_counts_calls_and_milliseconds(call, race_state):
    race = recorded_race("sky")
    ends, total = [], 0.0
    for step in race.lanes["ptp"].steps:
        total += 1000 * round(step.seconds, 5)
        ends.append(total)
    slow = max(sum(1000 * round(s.seconds, 5) for s in trace.steps) for trace in race.lanes.values())
    lanes, at = "m.callsShown(state, state.lanes.ptp)", IN_STATE
    assert call("race/lanes.js", at % "m.length(state)", race_state) == max(len(t.steps) for t in race.lanes.values())
    assert call("race/lanes.js", at % "(state.axis = 'ms', m.length(state))", race_state) == pytest.approx(slow)
    assert call("race/lanes.js", at % f"(state.head = 4, {lanes})", race_state) == 4
    between = (ends[4] + ends[5]) / 2
    assert (
        call("race/lanes.js", at % f"(Object.assign(state, {{axis: 'ms', head: {between}}}), {lanes})", race_state) == 5
    )
    assert call("race/lanes.js", at % "m.complete(state)", race_state) is True
    assert call("race/lanes.js", at % "(state.lanes.ar.steps.pop(), m.complete(state))", race_state) is False


def test_calls_that_are_missing_are_noticed_and_calls_that_are_here_are_not_added_twice(call, race_state):
    later = "m.add(state.lanes.ar, chunk({...x.lanes.ar, start: 999})) === null"
    assert call("race/lanes.js", IN_STATE % later, race_state) is True
    again = "[m.add(state.lanes.ar, chunk(x.lanes.ar)).length, state.lanes.ar.steps.length]"
    assert call("race/lanes.js", IN_STATE % again, race_state) == [0, len(recorded_race("sky").lanes["ar"].steps)]


def test_the_map_has_a_cell_for_every_draft_and_every_token_of_the_target(call, race_state):
    cells = call("race/map.js", IN_STATE % "m.cells(state.lanes.ptp.steps)", race_state)
    steps = recorded_race("sky").lanes["ptp"].steps
    first = 0
    for row, step in enumerate(steps):
        mine = [(c["column"], c["status"]) for c in cells if c["row"] == row and c["status"] != "pending"]
        drafted = [(first + i, draft.status) for i, draft in enumerate(step.drafts)]
        assert mine[: len(drafted)] == drafted
        if step.extra_kind:
            assert mine[-1] in ((first + step.num_accepted, step.extra_kind), *drafted)
        first += len(step.emitted)


# ---- noise -------------------------------------------------------------------------------------------------


def test_the_needle_finds_the_bin_it_stands_in(call):
    token = {"candidates": [{"text": "a", "prob": 0.25, "left": 0}, {"text": "b", "prob": 0.5, "left": 0.25}]}
    at = "m.candidateAt(x, %s)?.text ?? null"
    found = [call("noise/needle.js", at % u, token) for u in (0, 0.2499, 0.25, 0.74, 0.75, 0.9)]
    assert found == ["a", "a", "b", "b", None, None]


def test_a_telling_token_has_even_odds_and_rivals(call):
    def token(position: int, prob: float, rivals: int) -> dict[str, Any]:
        return {"position": position, "prob": prob, "candidates": [{}] * rivals}

    tokens = [token(0, 0.5, 2), token(1, 0.7, 3), token(2, 0.6, 4), token(3, 0.99, 9)]
    assert call("noise/history.js", "m.telling(x)", tokens) == 2


def test_undo_forgets_what_was_undone_once_something_new_is_made(call):
    script = """(() => {
      const state = m.fresh(null);
      const named = (run) => m.story({ run, meta: {}, summary: { lanes: {} } });
      for (const run of ["a", "b", "c"]) m.push(state, named(run));
      const moved = [m.goTo(state, 3), m.goTo(state, -1), m.goTo(state, 0), state.now.run];
      m.push(state, named("d"));
      return [...moved, state.history.map((one) => one.run).join(""), state.index];
    })()"""
    assert call("noise/history.js", script) == [False, False, True, "a", "ad", 1]


def test_neighbours_with_the_same_token_are_one_block(call):
    stretches = [
        {"left": 0, "right": 0.2, "tokens": [1, 5]},
        {"left": 0.2, "right": 0.5, "tokens": [1]},
        {"left": 0.5, "right": 0.7, "tokens": [2, 5]},
        {"left": 0.7, "right": 1, "tokens": [1, 5]},
    ]
    assert call("noise/sweep.js", "m.blocks(x, 0)", stretches) == [
        {"left": 0, "right": 0.5, "token": 1}, {"left": 0.5, "right": 0.7, "token": 2},
        {"left": 0.7, "right": 1, "token": 1},
    ]  # fmt: skip
    assert [b["left"] for b in call("noise/sweep.js", "m.blocks(x, 1)", stretches)] == [0, 0.5]


def column(left: float, right: float, token: int, *cells: tuple[float, float, int]) -> dict[str, Any]:
    return {
        "left": left, "right": right, "token": token,
        "cells": [{"bottom": bottom, "top": top, "token": second} for bottom, top, second in cells],
    }  # fmt: skip


def test_differences_of_two_squares_and_the_area_of_pairs(call):
    target = [column(0, 0.5, 1, (0, 0.5, 7), (0.5, 1, 8)), column(0.5, 1, 2, (0, 1, 7))]
    draft = [column(0, 1, 1, (0, 0.25, 7), (0.25, 0.75, 9), (0.75, 1, 8))]
    assert call("noise/square.js", "m.differences(x, x)", target) == []
    assert call("noise/square.js", "m.differences(x[0], x[1])", [draft, target]) == [
        [0, 0.5, 0.25, 0.75], [0.5, 1, 0.25, 1],
    ]  # fmt: skip
    assert call("noise/square.js", "Object.fromEntries(m.pairSizes(x))", target) == {
        "1 7": 0.25,
        "1 8": 0.25,
        "2 7": 0.5,
    }


def test_a_part_of_the_strip_is_shown_as_the_whole(call):
    part = {"from": 0.5, "to": 0.75}
    assert call("core/strip.js", "m.within(0.5, 0.625, x)", part) == {"from": 0, "to": 0.5}
    assert call("core/strip.js", "m.within(0, 1, x)", part) == {"from": 0, "to": 1}
    assert call("core/strip.js", "m.placed(0.25, 0.5)") == "left:25%;width:25%"


def test_the_largest_areas_have_the_colours(call):
    sizes = "new Map(Array.from({length: 10}, (_, i) => [`k${i}`, i]))"
    assert call("noise/tints.js", f"Object.fromEntries(m.ranked({sizes}))") == {f"k{9 - i}": i for i in range(7)}
    assert call("noise/tints.js", f"['k9', 'k2'].map((key) => m.tint(m.ranked({sizes}), key))") == [
        "ptp-key-0", "ptp-key-rest",
    ]  # fmt: skip


# ---- charts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "wanted", "found"),
    [
        (0, 1, 4, [0, 0.25, 0.5, 0.75, 1]),
        (0, 0.05, 4, [0, 0.02, 0.04]),
        (0, 7, 4, [0, 2, 4, 6]),
        (0.95, 1.6, 4, [1, 1.2, 1.4, 1.6]),
        (0, 1234, 4, [0, 500, 1000]),
    ],
)
def test_ticks_are_round(call, low, high, wanted, found):
    assert call("charts/axes.js", "m.ticks(...x)", [low, high, wanted]) == found


def test_a_label_is_folded_into_three_lines_at_most(call):
    assert call("charts/axes.js", "m.fold(x, 9)", "one two three fourteenletters five") == [
        "one two", "three", "fourteenletters", "five",
    ]  # fmt: skip
    assert call("charts/axes.js", "m.words(x, 40)", "a bb ccc dddd eeeee ffffff") == ["a bb", "ccc", "dddd"]


def test_a_scale_reaches_over_its_bars(call):
    items = [{"value": 0.02, "high": 0.9, "count": 3}, {"value": 0.031, "count": 50, "high": 0.04}]
    assert 0.04 <= call("charts/axes.js", "m.highest({y: 'share'}, x)", items) <= 0.1
    assert call("charts/axes.js", "m.highest({y: 'share'}, x)", [{"value": 0.51}]) == 1
    assert call("charts/axes.js", "m.highest({y: 'count'}, x)", [{"value": 5}, {"high": 7}]) == pytest.approx(7.56)
    assert call("charts/axes.js", "m.highest({y: 'count'}, [])") > 0


def test_values_in_words(call):
    assert call("charts/axes.js", "m.format(0.256, {y: 'share'})") == "26 %"
    assert call("charts/axes.js", "[m.format(1.234, {y: 'x', unit: ' ms'}), m.format(123.4, {y: 'x'})]") == [
        "1.23 ms",
        "123",
    ]
    assert call("charts/axes.js", "m.short(0.5000001, {y: 'x', unit: '×'})") == "0.5×"
    assert call("acceptance/figures.js", "[m.number(null), m.number(1.005, 1, '×')]") == ["–", "1.0×"]
    assert call("acceptance/figures.js", "[m.between([1, 1]), m.between([1, 2.5]), m.between(null)]") == [
        "",
        "1.00 to 2.50",
        "",
    ]
    assert call("acceptance/figures.js", "[m.identical([3, 3], 'of'), m.identical([2, 3], '/')]") == [
        "✓ 3 of 3",
        "≠ 2 / 3",
    ]


def test_the_second_series_of_a_comparison_stands_beside_the_first(call):
    exhibit = {"items": [{"label": "a"}, {"label": "b"}]}
    other = {"items": [{"label": "A"}]}
    shown = "m.pairs(x[0], x[1]).map((group) => group.map(([item, series]) => `${item.label}${series}`))"
    assert call("charts/axes.js", shown, [exhibit, other]) == [["a0", "A1"], ["b0"]]
    assert call("charts/axes.js", shown, [exhibit, None]) == [["a0"], ["b0"]]
