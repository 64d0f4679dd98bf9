from dataclasses import replace

import pytest
from support.windows import conversation

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.training.conversations import Conversation
from ptp_core.training.evaluate import evaluate, walk
from ptp_core.training.shallow import SHALLOW


def test_evaluation_counts_runs(make_model):
    model = make_model()
    rows = [conversation(model, seed=60 * i) for i in range(4)]
    found = evaluate(model, rows, length=4)
    assert found.windows == 4 * 17  # of 20 tokens, those with 3 behind them
    assert len(found.slot_accuracy) == 4
    assert len(found.draft_run) == 3
    assert found.tokens_per_call == pytest.approx(1 + sum(found.draft_run))
    assert 1 <= found.tokens_per_call <= found.even + 0.2
    assert found == evaluate(model, rows, length=4)
    assert evaluate(model, rows, length=4, tokens=5).windows == 4 * 5
    assert len(evaluate(make_model(variant="c-ptp"), rows, length=4).draft_run) == 4
    with pytest.raises(ValueError, match="long enough"):
        evaluate(model, rows, length=40)


@pytest.mark.parametrize("changes", [{"chain": 8}, {"variant": "c-ptp"}], ids=str)
def test_several_answers_at_once_are_each_alone(make_model, changes, monkeypatch):
    model = make_model(**changes)
    rows = [conversation(model, seed=60 * i, temperature=t) for i, t in enumerate((0.7, 0.0, 1.0, 0.7, 0.3))]
    rows[2] = replace(rows[2], ids=rows[2].ids[:-7])  # a shorter one, and one that is too short
    rows.insert(1, replace(rows[0], ids=rows[0].ids[: rows[0].p + 1]))
    alone = {reader: evaluate(model, rows, length=4, reader=reader) for reader in (None, SHALLOW)}
    monkeypatch.setattr("ptp_core.training.evaluate._ANSWERS", {"cpu": 3})
    for reader, expected in alone.items():
        assert expected.windows > 60
        assert evaluate(model, rows, length=4, reader=reader) == expected


def test_a_walk_begins_each_call_behind_what_the_last_one_brought():
    assert walk([0, 0, 0]) == [0, 0, 0]
    assert walk([2, 9, 9, 1, 9, 0]) == [2, 1, 0]
    assert walk([]) == []
    assert walk([None, 1, 9, None, 0]) == [1, 0]  # no call begins where the teacher would not have gone


def test_what_evaluation_promises_decoding_delivers(make_model):
    """The calls of a walk along the model's own texts against those of PQD with slots for every outcome."""
    model = make_model()
    rows, calls, brought = [], 0, 0
    for seed in range(40):
        noise = NoiseTape(seed)
        trace = generate(model, [3, 4], "pqd", noise, SamplingConfig(), max_new_tokens=40, draft_budget=64)
        rows.append(Conversation([3, 4, *trace.tokens], 2))
        calls += len(trace.steps) - 1  # the first one reads the prompt and verifies nothing
        brought += sum(step.num_accepted for step in trace.steps)
    promised = evaluate(model, rows, length=5)
    assert promised.calls > 300
    # u's are drawn anew inside the bins, and texts are cut at their ends: 0.1 is over three standard errors
    assert promised.tokens_per_call == pytest.approx(1 + brought / calls, abs=0.1)
