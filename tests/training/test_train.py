import json
import os
import subprocess
import sys

import pytest
from support.training_runs import ROOT, config, losses, stop_after

from ptp_core import NoiseTape, generate, load_adapter, load_model
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation
from ptp_core.training.run_state import RunState
from ptp_core.training.train import RowOrder, _schedule, train


def test_a_run_writes_an_adapter_that_decodes_exactly(folders, tmp_path):
    result = train(config(folders, tmp_path / "run", variant="c-ptp", anchor=True))
    adapter = load_adapter(tmp_path / "run" / "adapter")
    assert adapter.config.variant == "c-ptp"
    assert adapter.config.anchor
    assert adapter.config.draft_run == result.draft_run or len(adapter.config.draft_run) == len(result.draft_run)
    model = load_model(folders / "model", tmp_path / "run" / "adapter")
    assert model.notes == [] or "not known" in model.notes[0]
    pqd = generate(model, [3, 4], "pqd", NoiseTape(1), max_new_tokens=12, draft_budget=8)
    assert pqd.tokens == generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=12).tokens


@pytest.mark.slow
def test_a_resumed_run_is_the_uninterrupted_one(folders, tmp_path):
    train(config(folders, tmp_path / "whole", ema=0.9))
    train(config(folders, tmp_path / "parts", ema=0.9, steps=5))  # ends between two checkpoints of the other
    # the schedule depends on the number of steps, so the halves are one run that was cut, not two runs
    (tmp_path / "parts2").mkdir()
    stop_after(folders, tmp_path / "parts2", 7, ema=0.9)
    train(config(folders, tmp_path / "parts2", ema=0.9))
    assert losses(tmp_path / "parts2") == losses(tmp_path / "whole")
    whole, parts = (load_adapter(tmp_path / n / "adapter") for n in ("whole", "parts2"))
    for name, (a, b) in whole.lora.items():
        assert a.equal(parts.lora[name][0])
        assert b.equal(parts.lora[name][1])


@pytest.mark.parametrize(("count", "batch"), [(1000, 8), (1003, 8), (5, 8), (40, 1)])
def test_every_epoch_takes_every_row_once(count, batch):
    lengths = [37 * i % 211 for i in range(count)]
    order, again = RowOrder(lengths, batch, 1), RowOrder(lengths, batch, 1)
    taken = [order.at(i) for i in range(3 * count)]
    assert [again.at(i) for i in range(2 * count, 3 * count)] == taken[2 * count :], "a resumed run goes on alike"
    epochs = [taken[k * count : (k + 1) * count] for k in range(3)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("count", [4000, 4003])
def test_a_batch_holds_rows_of_similar_length(count):
    lengths = [37 * i % 211 + 1 for i in range(count)]

    def filling(batch):
        """Rows' tokens beside those that batches of eight take with their padding, over three epochs."""
        order = RowOrder(lengths, batch, 2)
        found = [lengths[order.at(i)] for i in range(3 * count // 8 * 8)]
        return sum(found) / sum(8 * max(found[i : i + 8]) for i in range(0, len(found), 8))

    assert filling(1) < 0.65, "rows of any lengths"
    assert filling(8) > 0.95


def test_schedule():
    plan = TrainConfig("", "", steps=100, warmup=10, final_share=0.1)
    shares = [_schedule(plan, RunState(step=n)) for n in (0, 9, 10, 55, 100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[1] == 1.0
    assert shares[2] < 1.0
    assert shares[3] < shares[2]
    assert shares[4] == pytest.approx(0.1)


@pytest.mark.parametrize(("change", "reason"), [({"variant": "x"}, "variant"), ({"loss": "guess"}, "loss")])
def test_bad_settings_are_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        TrainConfig("", "", **change)


def test_short_conversations_are_left_out(folders, tmp_path):
    rows = [Conversation([3, 4, 5], 2), Conversation([3] * 900, 10)]
    (tmp_path / "d.jsonl").write_text("\n".join(json.dumps(r.__dict__) for r in rows))
    with pytest.raises(ValueError, match="No conversations"):
        train(config(folders, tmp_path / "run", data=str(tmp_path / "d.jsonl")))


@pytest.mark.slow
def test_two_processes_share_a_run(folders, tmp_path):
    """Each process reads its own conversations, gradients are averaged, one process writes.

    `accelerate launch` starts several GPUs' processes the way torch.distributed.run does; on a CPU it starts one only.
    """
    alone = config(folders, tmp_path / "alone", steps=4)
    train(alone)
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in vars(alone).items()
        if name not in ("out", "objective") and value not in (None, "") and not isinstance(value, bool | tuple)
    ]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m", "ptp_core", "train", "distill"]
    done = subprocess.run(
        [sys.executable, *launch, *options, f"--out={tmp_path / 'both'}"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in (tmp_path / "both" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row]
    assert [row["step"] for row in steps] == [1, 2, 3, 4], "one process writes, and each step once"
    single = [
        json.loads(line)["targets"]
        for line in (tmp_path / "alone" / "metrics.jsonl").read_text().splitlines()
        if "targets" in json.loads(line)
    ]
    assert steps[-1]["targets"] > 1.3 * single[-1]
    assert load_adapter(tmp_path / "both" / "adapter").config.name == "both"
