"""Results as they come back from the world: a sentence, or a result that can be drawn whole."""

import json

import pytest
from support.damage import damaged, sentence_of
from support.tiny_model import make_adapter, make_results, make_target, make_tokenizer

from app.acceptance.requests import Requests
from app.acceptance.results import Results
from app.serving.values import as_value
from ptp_core.benchmark.result import BenchResult
from ptp_core.model.ptp_model import PTPModel

SOME = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("results")
    make_results(made, PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny").eval())
    return made


def draw(requests, name):
    """Everything that the page shows of a result."""
    shown = requests.fetch_result({"result": name})
    look = {"result": name, "method": shown["method"], "point": shown["point"]}
    told = requests.fetch_exhibits(look)
    as_value({**shown, **told})
    for exhibit in told["exhibits"]:
        try:
            as_value(requests.fetch_questions({**look, "exhibit": exhibit["id"], "index": 0}))
        except ValueError as error:
            assert "behind it" in sentence_of(error) or "no such" in sentence_of(error)
    for kind in ("csv", "json"):
        requests.export_result({"result": name, "kind": kind})["text"].encode()


def test_damaged_results_are_drawn_or_refused_in_a_sentence(folder):
    requests, drawn, refused = Requests(Results(folder)), 0, set()
    for name in ("default", "default-sweeps"):
        draw(requests, name)
        for text in damaged(json.loads((folder / f"{name}.json").read_text()), SOME // 2, seed=1):
            try:
                opened = requests.open_result({"text": text, "name": "theirs"})
            except ValueError as error:
                refused.add(sentence_of(error))
                continue
            draw(requests, opened["result"])
            drawn += 1
    assert drawn > 5 and len(refused) > 10, "the damage is neither harmless nor all of one kind"


EDITS = {
    "is there twice": lambda data: data["rows"].append(data["rows"][0]),
    "no question in this result": lambda data: data["questions"].pop(),
    "wrong about its text": lambda data: data["rows"][1].update(identical_to_ar=False),
    "damaged at a call": lambda data: data["rows"][1]["calls"][0].update(emitted=7),
    "counts do not fit": lambda data: data["rows"][1].update(num_calls=1000),
}


@pytest.mark.parametrize("reason", EDITS)
def test_a_result_that_was_edited_by_hand_tells_no_false_figures(folder, reason):
    data = json.loads((folder / "default.json").read_text())
    BenchResult.from_dict(data)
    EDITS[reason](data)
    with pytest.raises(ValueError, match=reason):
        BenchResult.from_dict(data)
