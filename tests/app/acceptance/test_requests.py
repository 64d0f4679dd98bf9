"""The Acceptance page without a browser: what it shows, what stands behind a bar, live runs, files, links."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from support.tiny_model import make_adapter, make_results, make_target, make_tokenizer

from app.acceptance.exhibits import exhibits_view
from app.acceptance.links import race_query
from app.acceptance.look import Look
from app.acceptance.questions import questions_view
from app.acceptance.requests import Requests, favourite
from app.acceptance.results import SHIPPED_FOLDER, Results
from app.acceptance.shown import Shown
from app.acceptance.view import result_view
from app.acceptance.words import title
from app.race.events import RaceRunner
from app.race.races import RUNS
from app.serving.models import ModelChoice
from app.serving.uploads import LARGEST
from app.serving.values import as_value
from app.settings import RunSettings
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.model.ptp_model import PTPModel


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    make_results(folder, PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny").eval())
    return Results(folder)


@pytest.fixture
def tiny_results(results):
    return results.get("default"), results.get("default-sweeps")


@pytest.fixture
def requests(results):
    return Requests(results)


@pytest.fixture
def answers(requests):
    """What the browser calls, by name."""
    return {function.__name__: function for function in requests.server_functions()}


# ---- what is shown ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_comes_with_the_lab_opens_small_and_whole():
    ours = Results()
    names = ours.names()
    assert sorted(names) == sorted(path.name.split(".")[0] for path in SHIPPED_FOLDER.glob("*.json*")), (
        "every file can be read"
    )
    for name in names:
        shown = ours.get(name)
        method, point = favourite(shown)
        for category in (None, *shown.categories):
            assert len(as_value({"exhibits": exhibits_view(Look(shown, method, point, category))})) < 100_000
    event = Requests(ours).opening()
    assert [entry["id"] for entry in event["list"]] == [*names, *ours.studies.names()]
    assert len(as_value(event)) < 100_000


def test_a_shipped_result_is_called_by_what_it_measured():
    listed = Requests(Results()).opening()["list"]
    titles = {entry["id"]: entry["title"] for entry in listed}
    assert titles["default-budget-32"] == "240 questions, 32 slots per call"
    assert titles["default-temperatures"] == "20 questions, drafts where they pay, by temperature"
    assert len(set(titles.values())) == len(listed)
    visitors = replace(Results().get("default"), name="mine", origin="uploaded")
    assert title(visitors) == "mine"


def test_the_page_opens_on_the_default_result(requests, tiny_results):
    event = requests.opening()
    assert [entry["name"] for entry in event["list"]] == ["default", "default-sweeps"]
    assert event["view"]["id"] == "default"
    assert (event["method"], event["point"]) == ("pqd", "")
    ids = [exhibit["id"] for exhibit in event["exhibits"]]
    wanted = {"position", "entropy", "margin", "class", "confidence", "lengths", "slots", "allocator", "bounds"}
    assert wanted | {"category", "cost"} <= set(ids)
    for exhibit in event["exhibits"]:
        assert exhibit["what"] and exhibit["try"] and exhibit["says"].endswith(".")
        assert tiny_results[0].result.environment["device"] in exhibit["over"]
    assert "tokens of 4 questions" in event["exhibits"][0]["over"]
    bounds = next(exhibit for exhibit in event["exhibits"] if exhibit["id"] == "bounds")
    assert "behind the prompt" in bounds["says"]  # two speed-ups of one run: how they differ
    assert "The table's speed-up also counts the call that reads the prompt." in bounds["says"]


def test_every_method_has_whole_exhibits_only(tiny_results):
    for shown in tiny_results:
        for point in shown.points:
            for method in shown.result.config.methods:
                exhibits = exhibits_view(Look(shown, method, point))
                assert all({"id", "kind", "title", "items", "over"} <= set(exhibit) for exhibit in exhibits)
                kinds = {exhibit["id"] for exhibit in exhibits}
                assert ("confidence" in kinds) == (method in ("ptp", "pqd") and "position" in kinds)


def test_a_lab_without_results_still_opens(tmp_path):
    (tmp_path / "old.json").write_text('{"environment": {}}')
    assert Requests(Results(tmp_path)).opening() == {"event": "open", "list": [], "view": None, "exhibits": []}


def test_figures_are_the_results_own(tiny_results):
    view = result_view("x", tiny_results[0])
    for method, figures in tiny_results[0].result.methods.items():
        shown = view["points"][""][method]
        assert shown["all"]["tpc"] == pytest.approx(figures["tokens_per_call"], abs=1e-4)
        assert shown["all"]["same"] == figures["identical_to_ar"]
        assert set(shown["by_category"]) == {"ab", "cd"}


def test_the_words_under_the_table_are_of_the_chosen_setting(tiny_results):
    where = result_view("x", tiny_results[1])["where"]
    assert "draft budget 4." in where["draft_budget=4"]
    assert "draft budget 8." in where["draft_budget=8"]


def test_a_category_shows_its_own_drafts_only(tiny_results):
    def drafts(category):
        items = exhibits_view(Look(tiny_results[0], "pqd", "", category))[0]["items"]
        return [item["count"] for item in items]

    for every, first, second in zip(drafts(None), drafts("ab"), drafts("cd"), strict=False):
        assert every == first + second


def test_sweeps_have_their_lines_and_their_points(tiny_results):
    shown = tiny_results[1]
    assert shown.points == ["", "draft_budget=0", "draft_budget=4", "draft_budget=8"]
    exhibits = {e["id"]: e for e in exhibits_view(Look(shown, "pqd", "draft_budget=8"))}
    lines = exhibits["sweep-draft_budget-tokens_per_call"]
    assert lines["places"] == ["0", "4", "8"]
    told = [item["value"] for item in lines["lines"][0]["items"]]
    points = shown.result.points
    assert told == pytest.approx([points[f"draft_budget={b}"]["pqd"]["tokens_per_call"] for b in (0, 4, 8)], abs=1e-4)
    assert told[0] == 1, "without slots a call brings one token"
    assert "position" in exhibits
    assert favourite(shown)[0] == "pqd"
    assert not {e["id"] for e in exhibits_view(Look(shown, "ar"))} & {"position", "slots"}


# ---- behind a bar -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exhibit", ["position", "entropy", "margin", "class", "confidence"])
def test_the_questions_behind_a_bar_sum_to_it(tiny_results, exhibit):
    shown = tiny_results[0]
    items = next(e for e in exhibits_view(Look(shown, "pqd")) if e["id"] == exhibit)["items"]
    assert sum(item["count"] for item in items) > 0
    for i, item in enumerate(items):
        found = questions_view(Look(shown, "pqd"), exhibit, i, lambda row: None)["questions"]
        assert sum(q["count"] for q in found) == item["count"]
        if item["count"]:
            assert sum(q["right"] for q in found) / item["count"] == pytest.approx(item["value"], abs=1e-4)


def test_calls_and_slots_behind_a_bar_sum_to_it(tiny_results):
    shown, analysis = tiny_results[0], tiny_results[0].analysis("pqd", "", None)
    for i, seen in enumerate(analysis["lengths"]["observed"]):
        found = questions_view(Look(shown, "pqd"), "lengths", i, lambda row: None)["questions"]
        assert sum(q["count"] for q in found) == seen
    for i, part in enumerate(analysis["slots"]):
        found = questions_view(Look(shown, "pqd"), "slots", i, lambda row: None)["questions"]
        assert sum(q["count"] for q in found) == part["right"]
    for i, gain in enumerate(analysis["allocator"]["bins"]):
        found = questions_view(Look(shown, "pqd"), "allocator", i, lambda row: None)["questions"]
        assert sum(q["count"] for q in found) == gain["count"]
    behind = questions_view(Look(shown, "pqd"), "category", 1, lambda row: None)["questions"]
    assert {q["category"] for q in behind} == {"cd"}


def test_a_question_leads_to_its_race(tiny_results, shelf):
    shown = tiny_results[0]
    row = shown.select("pqd", "", None)[2]
    settings = RunSettings.of_query(dict(parse_qsl(race_query(shown, row))))
    assert (settings.prompt, settings.seed) == ("aabb", 2)
    assert settings.decoding == DecodeSettings(max_new_tokens=16, draft_budget=9, num_speculative_tokens=4)
    last = list(RaceRunner(shelf).run(ModelChoice(), settings.values()))[-1]
    assert RUNS.get(last["run"]).lanes["ptp"].text == row.text
    far = replace(shown.result, config=replace(shown.result.config, max_new_tokens=4096))
    assert race_query(Shown(far, "far", "uploaded"), row) is None


def test_what_the_browser_asks_for_never_raises(answers):
    for request in (
        {}, {"result": "gone"}, {"result": "../secret"}, {"result": "default", "method": "x"},
        {"result": "default", "method": "pqd", "point": "draft_budget=99"},
        {"result": "default", "method": "pqd", "category": "none", "exhibit": "position", "index": 0},
    ):  # fmt: skip
        for answer in (answers["fetch_exhibits"], answers["fetch_questions"]):
            assert answer(request)["error"].endswith(".")
    for exhibit, index in (("position", -1), ("bounds", 0), ("nothing", 0), ("category", 9), ("position", "x")):
        asked = {"result": "default", "method": "pqd", "exhibit": exhibit, "index": index}
        assert "error" in answers["fetch_questions"](asked)
    assert "no longer in memory" in answers["fetch_result"]({"result": "gone"})["error"]
    assert "error" in answers["export_result"]({})


# ---- files ------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_went(results, answers, tiny_results):
    file = answers["export_result"]({"result": "default", "kind": "json"})
    assert file["name"] == "default.json"
    opened = answers["open_result"]({"text": file["text"], "name": "mine"})
    again = results.get(opened["result"])
    assert (again.name, again.origin) == ("mine", "uploaded")
    assert again.result.rows == tiny_results[0].result.rows
    table = answers["export_result"]({"result": "default", "kind": "csv"})["text"].splitlines()
    assert len(table) == 1 + len(again.result.rows)


def damaged(shown, change):
    data = json.loads(json.dumps(shown.result.to_dict()))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(kind="else"), "not a benchmark result"),
        (lambda d: d.update(schema_version=1), "schema version 1"),
        (lambda d: d.pop("questions"), "incomplete"),
        (lambda d: d.update(rows=[]), "no answers"),
        (lambda d: d["rows"][0].update(num_tokens="many"), "damaged"),
        (lambda d: d["rows"][0].update(num_tokens=3), "damaged"),
        (lambda d: d["environment"].pop("device"), "damaged"),
        (lambda d: d["environment"]["adapter"].pop("window"), "damaged"),
        (lambda d: d["environment"].update(threads=None), "damaged"),
    ],
)
def test_damaged_and_foreign_files_get_a_sentence(answers, tiny_results, change, reason):
    found = answers["open_result"]({"text": damaged(tiny_results[0], change), "name": "bad"})
    assert reason in found["error"]
    assert found["error"].endswith(".")


def test_files_that_are_no_json_or_too_large_get_a_sentence(answers, monkeypatch):
    for text, reason in (("", "not whole JSON"), ("[" * 100_000, "nested"), ("[]", "not a benchmark result")):
        assert reason in answers["open_result"]({"text": text, "name": "bad"})["error"]
    monkeypatch.setitem(LARGEST, "benchmark result", 10)
    assert "too large" in answers["open_result"]({"text": "x" * 11, "name": "bad"})["error"]


def test_what_is_not_there_any_more_says_so(results):
    few = Results(Path("nowhere"), capacity=1)
    first = few.add(results.get("default"))
    few.add(results.get("default"))
    for name in (first, "default", "../secret"):
        with pytest.raises(ValueError, match="no longer in memory"):
            few.get(name)
