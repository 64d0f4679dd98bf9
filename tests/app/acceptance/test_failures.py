"""Failed drafts in their contexts."""

from support.results import row as summed
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.acceptance.exhibits.failures import FAILURES, failed_calls
from app.acceptance.look import Look
from app.acceptance.requests import Requests
from app.acceptance.results import Results
from app.acceptance.shown import Shown
from ptp_core import NoiseTape
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.runner import Lineup, run_bench
from ptp_core.model.ptp_model import PTPModel


def test_a_failed_draft_stands_in_its_context():
    model = PTPModel(make_target(), make_tokenizer(), make_adapter()).eval()
    questions = [Question(str(i), "x", text) for i, text in enumerate(["abc", "hg fe", "aabb"])]
    config = BenchConfig(("ar", "pqd"), max_new_tokens=12, draft_budget=9)
    rows = run_bench(Lineup(model), questions, config)
    shown = Shown(BenchResult({"threads": 1}, config, questions, rows), "mine", "live")
    mine = [row for row in rows if row.method == "pqd"]
    failed = [(row, place, call) for row in mine for place, call in failed_calls(row)]
    wrong = sum(
        call.accepted < len(call.confidences) and call.right[call.accepted] == "0" for row in mine for call in row.calls
    )
    assert len(failed) == wrong > 0
    for row, place, call in failed:
        assert call.wrong != "" and row.text[call.at :].startswith(call.instead)
        kept = [token for token in row.tokens[:place] if not model.label(token).startswith("⟨")]
        assert row.text[: call.at] == "".join(map(model.label, kept))
    drawing = FAILURES.draw(Look(shown, "pqd"))
    assert drawing is not None and drawing.says.startswith(f"{wrong} draft")
    confident = [item["confidence"] for item in drawing.items]
    assert confident == sorted(confident, reverse=True)
    first = drawing.items[0]
    question, place = first["label"].split(", token ")
    own = next(row for row in mine if row.question_id == question)
    assert first["u"] == round(NoiseTape(own.seed)[int(place) - 1], 4)
    assert first["margin"] == own.margin[int(place) - 1]


def test_older_rows_know_no_failed_drafts():
    old = summed("1", "pqd", 10, 1.0, 5, [(3, 1)])
    assert list(failed_calls(old)) == []


def test_the_page_opens_on_the_most_questions():
    opened = Requests(Results()).opening()
    assert opened["view"]["points"][""]["pqd"]["all"]["q"] == 240
    assert opened["method"] in dict(opened["view"]["drafting"])[""]
    failures = next(exhibit for exhibit in opened["exhibits"] if exhibit["id"] == "failures")
    assert len(failures["items"]) == 24 and "answers of 240 that name them" in failures["says"]


def test_answers_that_part_by_rounding_are_told_apart():
    figures = Requests(Results()).opening()["view"]["points"][""]["pqd"]["all"]
    assert figures["same"] == [239, 240] and figures["rounded"] == 1
