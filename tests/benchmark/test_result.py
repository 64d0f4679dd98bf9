"""Results on disk, and what is refused."""

import json
from dataclasses import replace

import pytest

from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.tables import tables_of
from ptp_core.methods import BASELINE, METHODS


def test_results_survive_the_disk(result, tmp_path):
    result.to_json(tmp_path / "r.json")
    again = BenchResult.from_json(tmp_path / "r.json")
    assert again == result
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(json.dumps(result.to_dict()))
    assert not (tmp_path / "r.json.part").exists()
    result.to_json(tmp_path / "r.json.gz")
    assert BenchResult.from_json(tmp_path / "r.json.gz") == result
    whole = (tmp_path / "r.json.gz").read_bytes()
    assert len(whole) < (tmp_path / "r.json").stat().st_size / 3
    for broken in (whole[: len(whole) // 2], b"no gzip", whole[:40] + b"xxxx" + whole[44:]):
        (tmp_path / "d.json.gz").write_bytes(broken)
        with pytest.raises(ValueError, match="damaged or cut off"):
            BenchResult.from_json(tmp_path / "d.json.gz")


def test_the_analysis_needs_no_model_and_filters_by_category(result):
    found = result.analysis()
    assert list(found) == [name for name in METHODS if name != BASELINE]
    for method, f in found.items():
        assert f["num_drafts"] == result.methods[method]["num_drafted"] > 0
        slots = sum(b.num_slots for r in result.select(method) for c in r.calls for b in c.branches)
        assert sum(s["right"] for s in f["slots"]) == slots
        assert f["bounds"]["cost_bound"]["speedup"] >= 1
    assert found["prompt_lookup"]["calibration_error"] is None
    assert result.analysis("ab")["pqd"]["num_questions"] == 1
    assert "tiny with tiny-1, here, 1 thread, float32" in tables_of(result)
    assert "mistrust" not in tables_of(result)
    busy = replace(result, environment={**result.environment, "load_average": 4.0})
    assert "busy with other work (load 4.0): mistrust the times" in tables_of(busy)


def damaged(**changes):
    return lambda data: data.update(changes)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damaged(kind="trace"), "not a benchmark result"),
        (damaged(schema_version=1), "schema version 1"),
        (lambda d: d.pop("rows"), "incomplete"),
        (lambda d: d.pop("config"), "incomplete"),
        (damaged(rows=[{"question_id": "1"}]), "damaged at category"),
        (lambda d: d["rows"][1]["entropy"].pop(), "counts do not fit"),
        (lambda d: d["rows"][1]["calls"][1].update(right="x" * 9), "damaged at a call"),
        (lambda d: d["environment"].update(cost_curve={"positions": [1], "milliseconds": [1]}), "cost curve"),
        (lambda d: d["config"].update(temperature="hot"), "temperature"),
    ],
)
def test_damaged_results_are_refused_with_a_sentence(result, damage, reason):
    data = json.loads(json.dumps(result.to_dict()))
    damage(data)
    with pytest.raises(ValueError, match=reason) as error:
        BenchResult.from_dict(data)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b"[1]", b"[" * 100_000])
def test_files_that_are_no_results_are_refused(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"This"):
        BenchResult.from_json(tmp_path / "r.json")
