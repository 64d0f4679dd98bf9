"""Failed drafts in their contexts."""

from dataclasses import replace

from support.results import row as summed
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.acceptance import texts
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


def test_where_drafts_have_no_text_the_rest_is_shown_and_the_way_to_the_race(tmp_path, monkeypatch):
    """A result without the texts of drafts, by a model whose tokenizer is here."""
    folder = tmp_path / "tiny"
    make_target().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    model = PTPModel(make_target(), make_tokenizer(), make_adapter()).eval()
    questions = [Question(str(i), "x", text) for i, text in enumerate(["abc abc ab", "hg fe hg f", "aabb aab"])]
    config = BenchConfig(("ar", "pqd", "prompt_lookup"), max_new_tokens=24, draft_budget=9)
    rows = run_bench(Lineup(model), questions, config)
    older = [
        replace(row, calls=[replace(call, wrong="", instead="", at=0) for call in row.calls]) for row in rows
    ]  # fmt: skip
    facts = {"threads": 1, "device": "here", "dtype": "float32", "date": "today", "model": "SmolLM2-135M-Instruct"}
    whole, lacking = (Shown(BenchResult(facts, config, questions, found), "r", "live") for found in (rows, older))
    monkeypatch.setattr(texts, "kept_target", lambda: None)
    nothing = FAILURES.draw(Look(lacking, "pqd"))
    assert nothing.items == [] and "keeps the texts of none of them" in nothing.says
    monkeypatch.setattr(texts, "kept_target", lambda: folder)
    for method in ("pqd", "prompt_lookup"):
        full, found = (FAILURES.draw(Look(shown, method)) for shown in (whole, lacking))
        known = {item["label"]: item for item in full.items}
        both = [(item, known[item["label"]]) for item in found.items if item["label"] in known]
        assert len(both) > 3
        for item, other in both:
            assert [item[k] for k in ("before", "instead", "u", "margin")] == [
                other[k] for k in ("before", "instead", "u", "margin")
            ]
            assert item["wrong"] == (other["wrong"] if method == "prompt_lookup" else "")
    assert found.says == full.says, "what was looked up is known from the tokens"
    pqd = FAILURES.draw(Look(lacking, "pqd"))
    assert all("method=pqd" in item["link"] and "seed=" in item["link"] for item in pqd.items)
    assert pqd.says.endswith(
        "a race shows the draft itself. “Run a few questions here” makes a result that keeps every text."
    )


def test_rows_of_another_model_show_what_they_hold():
    old = summed("1", "pqd", 10, 1.0, 5, [(3, 1)])
    assert [place for place, _ in failed_calls(old)] == [2]
    shown = Shown(BenchResult({"model": "another"}, BenchConfig(), [], [old]), "r", "live")
    drawing = FAILURES.draw(Look(shown, "pqd"))
    assert drawing.items == [] and drawing.says.startswith("1 draft failed. This result keeps the texts of none")


def test_the_page_opens_on_the_most_questions():
    opened = Requests(Results()).opening()
    assert opened["view"]["points"][""]["pqd"]["all"]["q"] == 240
    assert opened["method"] in dict(opened["view"]["drafting"])[""]
    failures = next(exhibit for exhibit in opened["exhibits"] if exhibit["id"] == "failures")
    assert len(failures["items"]) == 24 and "in 65 answers of 240" in failures["says"]


def test_answers_that_part_by_rounding_are_told_apart():
    figures = Requests(Results()).opening()["view"]["points"][""]["pqd"]["all"]
    assert figures["same"] == [239, 240] and figures["rounded"] == 1
