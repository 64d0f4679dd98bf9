import json

import pytest

from ptp_core.__main__ import main
from ptp_core.training.pretraining.slots import SlotConfig, read_log, train_slots
from ptp_core.training.pretraining.study import Experiment, Point, Study

OTHER = Experiment("other", "Other", "x", "y", "z", "w", {"a": [Point(10, 1.5)], "b": [Point(10, 1.25, (1.0, 1.5))]})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(Study("Does it pay?", [OTHER]).text())
    return path


def test_a_run_becomes_an_experiment_and_replaces_its_older_self(saved, data_folder, tmp_path, file):
    run = tmp_path / "run"
    train_slots(SlotConfig(
        str(saved[0]), str(data_folder), str(run), ("o-ptp-id", "u-blind"), rank=4, chain=16, batch=2, length=48,
        windows=4, slots=3, steps=4, evaluate_every=2,
    ))  # fmt: skip
    words = [word for name in ("title", "measure", "machine", "source") for word in (f"--{name}", "words")]
    for _ in range(2):
        assert main(["study", str(run), "--file", str(file), "--id", "mine", *words]) == 0
    study = Study.from_json(file)
    assert [one.id for one in study.experiments] == ["mine", "other"] and study.experiments[1] == OTHER
    mine, rows = study.experiments[0].kinds, read_log(run)
    assert list(mine) == ["O-PTP, token-id order", "u-blind, likeliest token"]
    for kind, name in zip(mine, ("o-ptp-id", "u-blind"), strict=True):
        assert [point.targets for point in mine[kind]] == [row["targets"] for row in rows] == [48, 96]
        for point, row in zip(mine[kind], rows, strict=True):
            low, high = point.interval
            assert point.tokens_per_call == row[name]["tokens_per_call"] == pytest.approx((low + high) / 2, abs=1e-3)
            assert high - low == pytest.approx(2 * 1.96 * row[name]["error_by_text"], abs=1e-3)
            assert point.right == tuple(row[name]["right"][1:]) and len(point.right) == 2
    assert mine["u-blind, likeliest token"][-1].ahead is None
    assert mine["O-PTP, token-id order"][-1].ahead == (
        rows[-1]["o-ptp-id"]["ahead"],
        rows[-1]["o-ptp-id"]["ahead_error"],
    )


@pytest.mark.parametrize("damage", [
    {"format": "ptp-study-0"}, {"experiments": [{"id": "x"}]}, {"experiments": 3},
    {"experiments": [{**json.loads(Study("t", [OTHER]).text())["experiments"][0], "kinds": {}}]},
])  # fmt: skip
def test_a_damaged_study_is_refused(file, damage):
    file.write_text(json.dumps({**json.loads(file.read_text()), **damage}))
    with pytest.raises(ValueError, match=r"study"):
        Study.from_json(file)
