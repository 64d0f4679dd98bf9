"""Counting many answers together: the rows of answering them one by one, but for times."""

import pytest
from support.tiny_model import make_adapter

from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import typed_questions
from ptp_core.benchmark.runner import Lineup, iter_bench
from ptp_core.engine.engine import Engine
from ptp_core.model.ptp_model import PTPModel
from tools.gpu.stages import counting

CONFIG = BenchConfig(("ar", "pqd"), 30, draft_budget=9)
QUESTIONS = typed_questions(("abc", "hg fe", "aabb"))


def rows(lineup, stop=lambda: False, together=True):
    answers = counting.CountingBench(lineup, CONFIG, stop, QUESTIONS) if together else None
    return [p.row for p in iter_bench(lineup, QUESTIONS, CONFIG, None, stop, answers) if p.row]


def counts(row):
    calls = [
        (c.start, c.positions, c.emitted, c.accepted, c.right, [b.num_slots for b in c.branches]) for c in row.calls
    ]
    return row.question_id, row.method, row.seed, row.text, row.tokens, row.num_calls, row.identical_to_ar, calls


@pytest.mark.parametrize("together", [2, 40])
def test_the_rows_are_those_of_one_by_one_without_times(make_model, monkeypatch, together):
    monkeypatch.setattr(counting, "_TOGETHER", together)
    lineup = Lineup(make_model(context=512, chain=8))
    expected, found = rows(lineup, together=False), rows(lineup)
    assert [counts(row) for row in found] == [counts(row) for row in expected]
    assert len(found) == 6 and any(call.accepted for row in found for call in row.calls)
    assert {row.seconds for row in found} == {0}
    for a, b in zip(expected, found, strict=True):
        assert b.entropy == pytest.approx(a.entropy, abs=2e-3)
        assert [c.confidences for c in b.calls] == [pytest.approx(c.confidences, abs=2e-4) for c in a.calls]


def test_by_an_engine_nothing_is_timed_either(make_model):
    plain = make_model(context=512, chain=8)
    model = PTPModel(plain.target, plain.tokenizer, make_adapter(chain=8), name="tiny").eval()
    model.engine = Engine(model)
    found = rows(Lineup(model))
    assert [counts(row) for row in found] == [counts(row) for row in rows(Lineup(plain))]
    assert {row.own_shape_ms for row in found} == {None}


def test_it_stops(make_model):
    assert rows(Lineup(make_model(context=512, chain=8)), stop=lambda: True) == []
