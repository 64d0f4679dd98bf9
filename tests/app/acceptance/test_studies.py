"""Studies on the Acceptance page, without a browser."""

import csv
import json

from support.studies import STUDY, put_study

from app.acceptance.requests import Requests
from app.acceptance.results import SHIPPED_FOLDER, Results
from app.acceptance.studies import study_exhibits
from app.serving.values import as_value
from ptp_core.training.pretraining.study import Study


def answers(folder):
    put_study(folder)
    return {function.__name__: function for function in Requests(Results(folder)).server_functions()}


def test_a_study_is_listed_opened_and_saved(tmp_path):
    ask = answers(tmp_path)
    found = ask["fetch_result"]({"result": "pays"})
    assert found["view"]["study"] and found["view"]["points"] == {"": {}} and found["method"] == ""
    charts = ask["fetch_exhibits"]({"result": "pays", "method": "", "point": ""})["exhibits"]
    assert [chart["id"] for chart in charts] == ["curve-tokens", "curve-places", "pair-tokens"]
    rows = list(csv.DictReader(ask["export_result"]({"result": "pays", "kind": "csv"})["text"].splitlines()))
    assert len(rows) == 5 and rows[1]["ahead"] == "0.1" and rows[1]["right"] == "0.5 0.2"
    saved = tmp_path / "saved.json"
    saved.write_text(ask["export_result"]({"result": "pays", "kind": "json"})["text"])
    assert Study.from_json(saved) == STUDY
    assert "error" in ask["fetch_questions"]({"result": "pays", "method": "", "exhibit": "curve-tokens", "index": 0})


def test_charts_hold_what_was_measured_and_a_gap_where_nothing_was():
    curve, places, pair = study_exhibits(STUDY)
    assert curve["kind"] == "lines" and curve["places"] == ["1 k", "0.20 M"]
    told, blind = curve["lines"]
    assert [item["value"] for item in told["items"]] == [1.5, 1.8]
    assert [item["value"] for item in blind["items"]] == [None, 1.7]
    assert "+0.100 beside u-blind" in told["items"][1]["text"] and "told: 1.80; blind: 1.70" in curve["says"]
    assert places["places"] == ["2", "3"] and [item["value"] for item in places["lines"][0]["items"]] == [0.5, 0.2]
    assert pair["kind"] == "rows" and [item["value"] for item in pair["items"]] == [1.2, 1.3]


def test_the_shipped_study_opens_beside_the_results():
    event = Requests(Results()).opening()
    assert "does-u-pay" in [entry["id"] for entry in event["list"]]
    study = Results().studies.find("does-u-pay")
    assert study is not None and {"smollm2-losses", "smollm2-shipped"} <= {one.id for one in study.experiments}
    assert len(as_value({"exhibits": study_exhibits(study)})) < 60_000
    json.dumps(study_exhibits(study), allow_nan=False)
    assert (SHIPPED_FOLDER / "studies" / "does-u-pay.json").stat().st_size < 20_000
