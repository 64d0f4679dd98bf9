"""Drafts beside the target's likeliest token, by entropy and by margin."""

from dataclasses import replace

import pytest

from ptp_core.benchmark.comparison import compare
from ptp_core.benchmark.config import BenchConfig, parse_sweep
from ptp_core.benchmark.environment import environment
from ptp_core.benchmark.questions import typed_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows import Call, Row
from ptp_core.benchmark.runner import Lineup, run_bench


def row_of(method, calls, likeliest, rule=""):
    """A text of five tokens, easy at its ends and hard in its middle."""
    return Row(
        "q", "c", method, 5, len(calls), 1.0, True, tokens=[7, 8, 9, 7, 8], entropy=[0.0, 2.5, 2.5, 2.5, 0.1],
        margin=[None, 0.2, 0.02, 0.02, 0.4], classes="sssss", calls=calls, likeliest=likeliest, draft_rule=rule,
    )  # fmt: skip


def line(found, name, rule=""):
    return next(each for each in found["lines"] if (each["name"], each["rule"]) == (name, rule))


def counts(shares):
    return {s["label"]: (s["right"], s["count"]) for s in shares if s["count"]}


# one draft is right, the next is wrong, the third was never reached; then one right draft, one behind the text's end
CALLS = [Call(0, 1, 1.0, 1), Call(1, 4, 1.0, 2, 1, [0.5, 0.5, 0.5], "101"), Call(3, 3, 1.0, 2, 1, [0.5, 0.5], "1-")]


def test_by_hand():
    ar = row_of("ar", [Call(i, 1, 1.0, 1) for i in range(5)], "11001")
    found = compare([row_of("pqd", CALLS, "11001")], [ar])
    assert found["lacking"] is None
    target = line(found, "target")
    assert target["drafts"] is None
    assert (target["likeliest"]["all"]["right"], target["likeliest"]["all"]["count"]) == (3, 5)
    assert sum(n for _, n in counts(target["likeliest"]["by_margin"]).values()) == 5
    assert counts(target["likeliest"]["by_margin"])["no other token"] == (1, 1)
    own = line(found, "pqd")
    assert (own["drafts"]["all"]["right"], own["drafts"]["all"]["count"]) == (2, 3)
    assert (own["likeliest"]["all"]["right"], own["likeliest"]["all"]["count"]) == (1, 3), "at the same three places"
    assert list(counts(own["drafts"]["by_entropy"]).values()) == [(2, 3)]
    assert list(counts(own["likeliest"]["by_entropy"]).values()) == [(1, 3)]


def test_rows_that_do_not_know_it_ask_the_autoregressive_answer():
    ar, older = row_of("ar", [], "11001"), row_of("pqd", CALLS, "")
    assert line(compare([older], [ar]), "pqd")["likeliest"]["all"]["count"] == 3
    other = replace(older, tokens=[7, 8, 9, 7, 1])
    assert line(compare([other], [ar]), "pqd")["likeliest"] is None, "another text: nothing is known of it"
    found = compare([older], [replace(ar, likeliest="")])
    assert "does not say" in found["lacking"]
    assert [each["name"] for each in found["lines"]] == ["pqd"]


def test_both_rules_without_u_have_lines_of_their_own():
    rows = [row_of("independent", CALLS, "11001", rule) for rule in ("argmax", "pick")]
    found = compare(rows, [])
    assert {each["name"] for each in found["lines"]} == {"independent"}
    assert [each["rule"] for each in found["lines"]] == ["argmax", "pick"]


def test_from_a_run(make_model, tmp_path):
    """At temperature 0 the likeliest token is always right; at 1 it is not."""
    model = make_model()
    asked = typed_questions(["abc", "hg fe"])
    config = BenchConfig(
        ("ar", "pqd", "independent"), max_new_tokens=16, draft_budget=9, temperature=1.0,
        sweep=parse_sweep("draft_rule=argmax,pick"),
    )  # fmt: skip
    rows = run_bench(Lineup(model), asked, config)
    BenchResult(environment(model), config, asked, rows).to_json(tmp_path / "r.json")
    found = BenchResult.from_json(tmp_path / "r.json").comparison()
    assert {(each["name"], each["rule"]) for each in found["lines"]} >= {
        ("target", ""), ("pqd", ""), ("independent", "argmax"), ("independent", "pick"),
    }  # fmt: skip
    whole = line(found, "target")["likeliest"]["all"]
    assert whole["count"] == sum(r.num_tokens for r in rows if r.method == "ar")
    assert 0 < whole["right"] < whole["count"]
    cold = run_bench(Lineup(model), asked, replace(config, temperature=0.0, sweep=()))
    always = line(compare([], [r for r in cold if r.method == "ar"]), "target")["likeliest"]["all"]
    assert always["right"] == always["count"] > 0


def test_a_row_whose_likeliest_tokens_do_not_fit_is_damaged(make_model):
    model, config = make_model(), BenchConfig(("ar",), max_new_tokens=4)
    asked = typed_questions(["abc"])
    data = BenchResult(environment(model), config, asked, run_bench(Lineup(model), asked, config)).to_dict()
    data["rows"][0]["likeliest"] += "1"
    with pytest.raises(ValueError, match="damaged"):
        BenchResult.from_dict(data)
