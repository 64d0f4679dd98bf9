"""What several tests of results share."""

import pytest

from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.runner import Lineup, run_bench
from ptp_core.methods import METHODS

CURVE = {"positions": [1, 64], "milliseconds": [1.0, 2.0]}


@pytest.fixture(scope="module")
def result(make_model):
    """A result of every method of ours, on the tiny model."""
    questions = [Question(str(i), "ab" if i % 2 else "cd", text) for i, text in enumerate(["abc", "hg fe", "aabb"])]
    config = BenchConfig(
        METHODS,
        max_new_tokens=12,
        draft_budget=9,
    )
    rows = run_bench(Lineup(make_model()), questions, config)
    adapter = {"name": "tiny-1", "sha256": "tiny", "window": 5, "num_settled": 1, "draft_run": [0.5, 0.3, 0.2, 0.1]}
    adapter["shallow"] = adapter["parallel"] = {"window": 4, "draft_run": [0.5, 0.3, 0.2, 0.1]}
    facts = {
        "model": "tiny",
        "adapter": adapter,
        "device": "here",
        "threads": 1,
        "dtype": "float32",
        "date": "2026-01-01",
    }
    costs = {"call": 1.0, "row": 0.02, "draft": 0.1}
    told = {"cost_curve": CURVE, "shallow_costs": costs, "parallel_costs": {**costs, "opening": 0.1}}
    return BenchResult({**facts, **told}, config, questions, rows)
