import json
from dataclasses import replace

import pytest

from ptp_core.benchmark.charts import bench_figure
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.rows import Call, Row
from ptp_core.benchmark.runner import Lineup, run_bench
from ptp_core.benchmark.summary import bootstrap_speedup, csv_text, summarise, summarise_points
from ptp_core.benchmark.tables import category_table, markdown_table, replaced, tables_of
from ptp_core.statistics import bootstrap_ratio


def row(question, method, tokens, seconds, calls=None, accepted=(), same=True, category="x", point=""):
    made = [Call(0, 1, 100.0, 1), *(Call(1, 1, 1.0, 1 + a, a, [0.5] * d, "0" * d) for d, a in accepted)]
    return Row(question, category, method, tokens, calls or tokens, seconds, same, point=point, calls=made)


def test_rows_without_times_have_counts_and_no_speed():
    rows = [row("1", "ar", 10, 1.0), row("1", "pqd", 10, 0.0, 5), row("2", "pqd", 10, 1.0, 5)]
    figures = summarise(rows)
    assert figures["pqd"]["tokens_per_call"] == 2 and figures["pqd"]["ms_per_token"] is None
    alone = summarise(rows[:2])
    assert alone["pqd"]["speedup_vs_ar"] is None and alone["ar"]["ms_per_token"] == 100
    assert "| pqd | 2.00 | – | – | – | – |" in markdown_table(alone)


def test_figures_by_hand():
    rows = [
        row("1", "ar", 10, 1.0), row("2", "ar", 20, 2.0),
        row("1", "pqd", 10, 0.5, 5, [(3, 2), (4, 1)]), row("2", "pqd", 20, 1.5, 10, [(1, 1)], same=False),
        row("1", "hf_generate", 30, 6.0, same=None), row("2", "hf_generate", 10, 2.0, same=None),
    ]  # fmt: skip
    figures = summarise(rows)["pqd"]
    assert figures["tokens_per_call"] == 2
    assert figures["mean_accepted_length"] == pytest.approx(1 + 4 / 3)
    assert figures["acceptance_rate"] == 0.5
    assert figures["num_drafted"] == 8
    assert figures["ms_per_token"] == pytest.approx(2000 / 30)
    assert figures["ms_per_token_median"] == pytest.approx((50 + 75) / 2)
    assert figures["speedup_vs_ar"] == pytest.approx(1.5)
    assert figures["speedup_vs_hf"] == pytest.approx(3.0)
    assert figures["speedup_after_prompt"] == pytest.approx((2.8 / 28) / (1.8 / 28))
    assert figures["identical_to_ar"] == [1, 2]
    assert figures["divergences"] == [{"question_id": "2", "position": None, "margin": None, "gap": None}]


def test_speed_ups_compare_the_same_questions():
    rows = [row("1", "ar", 10, 1.0), row("2", "ar", 10, 9.0), row("1", "pqd", 10, 0.5)]
    assert summarise(rows)["pqd"]["speedup_vs_ar"] == 2.0  # a run that was stopped: question 2 does not count


def test_points_have_the_baseline_of_their_own_temperature():
    rows = [
        row("1", "ar", 10, 1.0), row("1", "pqd", 10, 0.5, point="draft_budget=4"),
        row("1", "ar", 10, 2.0, point="temperature=1.0"), row("1", "pqd", 10, 0.5, point="temperature=1.0"),
    ]  # fmt: skip
    points = summarise_points(rows)
    assert points["draft_budget=4"]["pqd"]["speedup_vs_ar"] == 2.0
    assert points["temperature=1.0"]["pqd"]["speedup_vs_ar"] == 4.0


def test_bootstrap_with_known_answers():
    steady = [row(str(i), "pqd", 10, 0.5) for i in range(20)], [row(str(i), "ar", 10, 1.0) for i in range(20)]
    assert bootstrap_speedup(*steady) == [2.0, 2.0]
    mixed = [row(str(i), "pqd", 10, 0.5 if i % 2 else 2.0) for i in range(20)], steady[1]
    low, high = bootstrap_speedup(*mixed)
    assert low < 0.8 < high  # 20 s of ar over 25 s: the middle of the interval
    assert high - low > 0.2  # negative control: questions that differ give a wide interval
    assert bootstrap_speedup(mixed[0][:1], mixed[1]) is None
    assert bootstrap_ratio([(4, 2)] * 5) == [2.0, 2.0]
    assert bootstrap_ratio([(1, 1)]) is None


def test_the_bootstrap_interval_has_the_known_width():
    """The mean of 400 values of which half are 0 and half 1 has a standard error of 0.025."""
    low, high = bootstrap_ratio([(i % 2, 1) for i in range(400)])
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_tables_have_a_row_per_method():
    rows = [
        row("1", "ar", 10, 1.0), row("2", "ar", 10, 1.0), row("1", "hf_generate", 10, 2.0, same=None),
        row("1", "pqd", 10, 0.5, 5, [(2, 1)]), row("2", "pqd", 10, 0.4, 5, [(2, 1)]),
    ]  # fmt: skip
    lines = markdown_table(summarise(rows)).splitlines()
    assert len(lines) == 5
    assert lines[3] == "| hf_generate | 1.00 | – | – | 200.0 | 0.50 | 1.00 | – | – |"
    assert lines[4].startswith("| pqd | 2.00 | 2.00 | 50 % | 45.0 | 2.22 (2.00 to 2.50) | 4.00 | 2 of 2 | – |")
    assert category_table(summarise(rows), ("pqd",)).splitlines()[2].startswith("| x | pqd | 2.00 |")
    lines = csv_text(rows).splitlines()
    assert len(lines) == 6
    assert lines[4].startswith("1,x,pqd,,0,10,5,2.0,2.0,0.5,0.5,50.0,True")


def test_tables_stand_between_markers():
    text = "before\n<!-- figures -->\nold\n| x |\n<!-- end of figures -->\nafter\n"
    assert replaced(text, "new \\1", "f") == "before\n<!-- figures -->\nnew \\1\n<!-- end of figures -->\nafter\n"
    for damaged in ("no markers", text + text):
        with pytest.raises(ValueError, match="markers"):
            replaced(damaged, "new", "f")


# ---- results ---------------------------------------------------------------------------------------------

CURVE = {"positions": [1, 64], "milliseconds": [1.0, 2.0]}


@pytest.fixture(scope="module")
def result(make_model):
    questions = [Question(str(i), "ab" if i % 2 else "cd", text) for i, text in enumerate(["abc", "hg fe", "aabb"])]
    config = BenchConfig(
        ("ar", "ptp", "pqd", "shallow", "shallow_lookup", "independent", "prompt_lookup"),
        max_new_tokens=12,
        draft_budget=9,
    )
    rows = run_bench(Lineup(make_model()), questions, config)
    adapter = {"name": "tiny-1", "sha256": "tiny", "window": 5, "num_settled": 1, "draft_run": [0.5, 0.3, 0.2, 0.1]}
    adapter["shallow"] = {"window": 4, "draft_run": [0.5, 0.3, 0.2, 0.1]}
    facts = {
        "model": "tiny",
        "adapter": adapter,
        "device": "here",
        "threads": 1,
        "dtype": "float32",
        "date": "2026-01-01",
    }
    costs = {"call": 1.0, "row": 0.02, "draft": 0.1}
    return BenchResult({**facts, "cost_curve": CURVE, "shallow_costs": costs}, config, questions, rows)


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
    for damaged in (whole[: len(whole) // 2], b"no gzip", whole[:40] + b"xxxx" + whole[44:]):
        (tmp_path / "d.json.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged or cut off"):
            BenchResult.from_json(tmp_path / "d.json.gz")


def test_the_analysis_needs_no_model_and_filters_by_category(result):
    found = result.analysis()
    assert list(found) == ["ptp", "pqd", "shallow", "shallow_lookup", "independent", "prompt_lookup"]
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


def test_the_page_shows_every_part(result):
    figure = bench_figure(result)
    assert len(figure.layout.annotations) == 12
    assert {t.name for t in figure.data} >= {"ar", "pqd", "independent", "cost"}
    bars = next(t for t in figure.data if t.name == "pqd" and t.hovertext is not None)
    first = result.analysis()["pqd"]["by_position"][0]
    assert bars.y[0] == first["share"]
    assert bars.hovertext[0] == f"{first['right']} of {first['count']} drafts"


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
