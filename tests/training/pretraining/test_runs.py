import dataclasses
import json

import pytest
import torch

from ptp_core import NoiseTape, SamplingConfig, generate, load_model
from ptp_core.training.pretraining.export import save_run
from ptp_core.training.pretraining.pretrain import PretrainConfig, pretrain
from ptp_core.training.pretraining.slots import SlotConfig, read_log, train_slots

SMALL = {"hidden": 64, "layers": 2, "mlp": 96, "batch": 2, "length": 48, "evaluate_every": 4}


@pytest.fixture(scope="module")
def run(data_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    config = PretrainConfig(str(data_folder), str(out), **SMALL, windows=2, slots=3, alone=2, steps=30)
    return config, pretrain(config)


def test_pretraining_learns_and_logs(run):
    _, out = run
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < rows[0]["loss"] < 7
    assert rows[-1]["tokens"] == rows[-1]["step"] * 2 * 48


def test_an_ended_run_goes_on(run):
    config, out = run
    before = torch.load(out / "state.pt", weights_only=True)
    pretrain(dataclasses.replace(config, steps=36))
    after = torch.load(out / "state.pt", weights_only=True)
    assert after["step"] == 36 > before["step"] == 30 and after["seconds"] > before["seconds"]


@pytest.mark.slow
def test_two_processes_train_one_network(data_folder, tmp_path):
    config = PretrainConfig(str(data_folder), str(tmp_path), **SMALL, windows=2, slots=3, alone=2, steps=3)
    pretrain(dataclasses.replace(config, processes=2))
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 3


def test_slots_are_trained_side_by_side_and_saved(run, data_folder, tmp_path):
    _, target = run
    config = SlotConfig(
        str(target), str(data_folder), str(tmp_path), rank=4, chain=16, batch=2, length=48, windows=4, slots=3, steps=9,
        evaluate_every=4,
    )  # fmt: skip
    train_slots(config)
    rows = read_log(tmp_path)
    assert rows[-1]["targets"] == rows[-1]["step"] * 2 * 4 * 3
    assert {"o-ptp-id", "u-blind-token"} <= set(rows[-1]) and len(rows[-1]["o-ptp-id"]["right"]) == 3
    assert [row["step"] for row in rows] == [4, 8, 9]
    folders = save_run(tmp_path, tmp_path / "model" / "mine", tmp_path)
    assert [folder.name for folder in folders] == ["mine", "mine-ptp", "mine-u-blind"]
    for adapter, told in zip(folders[1:], (True, False), strict=True):
        model = load_model(folders[0], adapter, device="cpu")
        assert model.require_adapter().reads_u == told and model.chain is not None
        sampling, ids = SamplingConfig(order="token_id"), model.encode("def add_3(a, b):")
        texts = [
            generate(model, ids, method, NoiseTape(1), sampling, max_new_tokens=12, draft_budget=8).tokens
            for method in ("ar", "pqd" if told else "independent")
        ]
        assert texts[0] == texts[1]


def test_missing_data_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="texts"):
        pretrain(PretrainConfig(str(tmp_path), str(tmp_path / "out")))
