"""The exhibits that set drafts beside the target's likeliest token."""

import json
from dataclasses import replace

import pytest

from app.acceptance.exhibits.likeliest import LIKELIEST_BY_ENTROPY, LIKELIEST_BY_MARGIN
from app.acceptance.look import Look
from app.acceptance.shown import Shown
from ptp_core.benchmark.config import BenchConfig, parse_sweep
from ptp_core.benchmark.environment import environment
from ptp_core.benchmark.questions import typed_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.runner import Lineup, run_bench


@pytest.fixture(scope="module")
def result(make_model):
    model, asked = make_model(), typed_questions(["abc", "hg fe", "aabb"])
    config = BenchConfig(
        ("ar", "pqd", "independent"), max_new_tokens=16, draft_budget=9, temperature=1.0,
        sweep=parse_sweep("draft_rule=argmax,pick"),
    )  # fmt: skip
    return BenchResult(environment(model), config, asked, run_bench(Lineup(model), asked, config))


@pytest.mark.parametrize("exhibit", [LIKELIEST_BY_ENTROPY, LIKELIEST_BY_MARGIN], ids=lambda e: e.id)
def test_a_line_for_the_target_and_for_each_kind_of_draft(result, exhibit):
    view = exhibit.view(Look(Shown(result, "tiny", "live"), "pqd"))
    names = [line["name"] for line in view["lines"]]
    assert names[0] == "the target's likeliest token"
    assert names[1:] == ["PTP with branches (PQD)", "u-blind drafts, likeliest token", "u-blind drafts, Pick"]
    assert {len(line["items"]) for line in view["lines"]} == {len(view["places"])}
    whole = sum(row.num_tokens for row in result.rows if row.method == "ar")
    assert sum(item["count"] for item in view["lines"][0]["items"]) == whole
    assert f"{whole} places" in view["says"]
    texts = [item["text"] for line in view["lines"][1:] for item in line["items"] if item["count"]]
    assert texts and all("at the same places" in text for text in texts)
    json.dumps(view, allow_nan=False)


def test_older_results_say_what_they_lack(result):
    older = replace(result, rows=[replace(row, likeliest="") for row in result.rows])
    view = LIKELIEST_BY_ENTROPY.view(Look(Shown(older, "tiny", "live"), "pqd"))
    assert "does not say" in view["says"]
    assert all(line["method"] != "target" for line in view["lines"])


def test_without_drafts_there_is_nothing_to_show(result):
    plain = replace(result, rows=[row for row in result.rows if row.method == "ar"])
    assert LIKELIEST_BY_MARGIN.view(Look(Shown(plain, "tiny", "live"), "ar")) is None
