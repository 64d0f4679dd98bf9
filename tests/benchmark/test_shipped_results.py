"""The results in the repository belong to the adapter in the repository, and the texts say what they say."""

from pathlib import Path

import pytest

from ptp_core.benchmark.questions import load_questions
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.tables import readme_tables, replaced
from ptp_core.folders import adapters_folder
from ptp_core.storage.adapter_files import adapter_hashes
from ptp_core.storage.built_in import BUILT_IN, DEFAULT

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "assets" / "benchmarks").glob("*.json*"))


@pytest.fixture(scope="module")
def shipped():
    return {path.name.split(".")[0]: BenchResult.from_json(path) for path in FILES}


def test_results_belong_to_the_shipped_adapter(shipped):
    assert set(shipped) >= {"default", "default-budget-32", "default-sweeps"}
    # Weights in eight bits still answer to their earlier hash: docs/log.md says how little they differ
    for name, result in shipped.items():
        target = BUILT_IN.get(result.environment["model"], BUILT_IN[DEFAULT])
        hashes = adapter_hashes(adapters_folder() / target.adapter)
        assert result.environment["adapter"]["sha256"] in hashes, f"{name}: run `make results` for this adapter"
        assert result.complete
        assert result.environment["date"] and result.environment["device"]


def test_results_are_whole_and_exact(shipped):
    files = (ROOT / "assets" / "questions").glob("*.jsonl")
    questions = {q.question_id: q for file in files for q in load_questions(file)}
    for result in shipped.values():
        assert all(questions[q.question_id] == q for q in result.questions)
        assert len(result.rows) == len(result.questions) * len(result.config.jobs())
        # float32 may part where u lies within rounding of an edge, or two tokens are equally likely but for rounding
        for row in result.rows:
            near = min(1 if d is None else d for d in (row.divergence_margin, row.divergence_gap))
            exact = row.identical_to_ar in (True, None) or near < 1e-5
            assert exact, f"{row.question_id}, {row.method}: parts at {row.divergence}, {near} from a rounding error"


def test_the_texts_say_what_the_results_say(shipped):
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert replaced(text, readme_tables(shipped["default"]), "results.md") == text
    assert replaced(text, "another table", "results.md") != text


def test_the_readmes_short_table_says_what_the_results_say(shipped):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for method in ("pqd", "shallow", "prompt_lookup", "shallow_lookup"):
        figures = shipped["default"].methods[method]
        shown = f"| {figures['tokens_per_call']:.2f} | {figures['speedup_vs_ar']:.2f} times |"
        assert any(line.startswith(f"| `{method}` |") and line.endswith(shown) for line in text.splitlines()), shown
