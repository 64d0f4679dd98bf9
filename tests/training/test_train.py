import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from support.tiny_model import make_target, make_tokenizer

from ptp_core import NoiseTape, generate, load_adapter, load_model
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation
from ptp_core.training.run_state import MetricsLog, RunState, load_checkpoint, save_checkpoint
from ptp_core.training.train import _schedule, train
from ptp_core.training.writing import DataRecipe, generate_data

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny model and a few of its conversations on disk."""
    folder = tmp_path_factory.mktemp("training")
    make_target(context=1024).save_pretrained(folder / "model")
    make_tokenizer().save_pretrained(folder / "model")
    writer = PTPModel(make_target(context=1024), make_tokenizer(), name="tiny")
    generate_data(writer, DataRecipe(conversations=80, shard_size=40, max_prompt=60), folder / "data")
    return folder


def config(folders, out, **changes):
    settings = {
        "data": str(folders / "data"), "out": str(out), "model": str(folders / "model"), "rank": 4, "steps": 12,
        "starts": 8, "warmup": 3, "evaluate_every": 6, "save_every": 4, "evaluate_rows": 3, "device": "cpu",
        "dtype": "float32", "max_tokens": 300,
    }  # fmt: skip
    return TrainConfig(**{**settings, **changes})


def losses(out):
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {row["step"]: row["loss"] for row in rows if "loss" in row}


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


def stop_after(folders, out, step, **changes):
    """Runs the training in a process of its own and kills it, hard, some time after a step was logged."""
    code = f"""
        import sys
        sys.path[:0] = [{str(ROOT)!r}]
        import torch
        torch.set_num_threads(2)
        from ptp_core.training.config import TrainConfig
        from ptp_core.training.train import train
        train(TrainConfig(**{config(folders, out, **changes).__dict__!r}))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "metrics.jsonl").exists() and max(losses(out), default=0) >= step:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"


class Killed(BaseException):
    """Stands for kill -9: nothing in save_checkpoint catches it or cleans up behind it."""


def save(out, value, patch=None, kill_at=-1):
    """Saves a checkpoint whose parameter, learning rate and step tell its value. With a patch, killed before the
    kill_at-th change of the disk; where that is the tensors' file, half of it has been written."""
    done = itertools.count()

    def counted(original):
        def call(*args, **kwargs):
            if next(done) == kill_at:
                if original is torch.save:
                    args[1].write_bytes(b"half")
                raise Killed
            return original(*args, **kwargs)

        return call

    changes = ((shutil, "rmtree"), (Path, "mkdir"), (torch, "save"), (Path, "write_text"), (Path, "rename"))
    for owner, name in changes if patch else ():
        patch.setattr(owner, name, counted(getattr(owner, name)))
    parameter = torch.nn.Parameter(torch.full((3,), float(value)))
    save_checkpoint(out, [parameter], [], torch.optim.AdamW([parameter], lr=0.1 * value), RunState(step=value))


def read(out):
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.AdamW([parameter], lr=1.0)
    state = load_checkpoint(out, [parameter], [], optimizer)
    assert parameter.tolist() == [state.step] * 3
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * state.step)
    return state.step


@pytest.mark.parametrize("second", [None, *range(9)])
def test_a_kill_while_a_checkpoint_is_written_loses_that_one_at_most(tmp_path, monkeypatch, second):
    """At every change of the disk; then, after such a kill, once more while the next checkpoint is written."""
    killed = 0
    for first in range(9):
        out = tmp_path / str(first)
        out.mkdir()
        save(out, 1)
        for value, kill_at in ((2, first), (3, second)):
            if kill_at is None:
                continue
            before = read(out)
            try:
                with monkeypatch.context() as patch:
                    save(out, value, patch, kill_at)
            except Killed:
                killed += 1
            assert read(out) in (before, value)
        save(out, 4)
        assert read(out) == 4
    assert killed >= 6


def test_half_a_line_of_the_metrics_is_dropped(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    MetricsLog(tmp_path / "m.jsonl", RunState(step=2), True).write(step=3)
    assert [json.loads(line)["step"] for line in (tmp_path / "m.jsonl").read_text().splitlines()] == [1, 2, 3]


def test_the_u_blind_baseline_trains_with_the_same_code(folders, tmp_path):
    train(config(folders, tmp_path / "blind", variant="independent", u_embedding="blank", steps=4))
    adapter = load_adapter(tmp_path / "blind" / "adapter")
    assert not adapter.config.reads_u
    model = load_model(folders / "model", tmp_path / "blind" / "adapter")
    trace = generate(model, [3, 4], "independent", NoiseTape(1), max_new_tokens=8, draft_budget=6)
    assert not [n for n in trace.notes if "trained to read u" in n]


def test_a_start_from_another_adapter(folders, tmp_path):
    train(config(folders, tmp_path / "first", steps=4))
    train(config(folders, tmp_path / "second", steps=2, init=str(tmp_path / "first" / "adapter"), variant="c-ptp"))
    assert load_adapter(tmp_path / "second" / "adapter").config.variant == "c-ptp"


def test_shallow_slots_are_added_to_an_adapter(folders, tmp_path):
    """Nothing else of it changes; a cut run is the uninterrupted one; a further run goes on from what is there."""
    train(config(folders, tmp_path / "deep", steps=2))
    deep = load_adapter(tmp_path / "deep" / "adapter")
    slots = {"objective": "shallow", "init": str(tmp_path / "deep" / "adapter"), "depth": 1, "vocabulary": 9}
    result = train(config(folders, tmp_path / "whole", **slots))
    adapter = load_adapter(tmp_path / "whole" / "adapter")
    assert adapter.config.shallow.vocabulary == 9
    assert adapter.config.shallow.evaluation["held_out"]["tokens_per_call"] >= result.tokens_per_call  # the best
    assert adapter.config.shallow.training["objective"] == "shallow"
    assert (adapter.config.window, adapter.config.draft_run) == (deep.config.window, deep.config.draft_run)
    assert all(torch.equal(adapter.lora[name][1], b) for name, (_, b) in deep.lora.items())
    (tmp_path / "parts").mkdir()
    stop_after(folders, tmp_path / "parts", 7, **slots)
    train(config(folders, tmp_path / "parts", **slots))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    again = load_adapter(tmp_path / "parts" / "adapter")
    assert all(torch.equal(again.shallow[name], tensor) for name, tensor in adapter.shallow.items())
    further = {**slots, "init": str(tmp_path / "whole" / "adapter"), "depth": 2, "vocabulary": 5}
    train(config(folders, tmp_path / "further", steps=2, **further))
    found = load_adapter(tmp_path / "further" / "adapter")
    assert (found.config.shallow.depth, found.config.shallow.vocabulary) == (1, 9)  # those that are there
    assert torch.equal(found.shallow["vocabulary"], adapter.shallow["vocabulary"])
    model = load_model(folders / "model", tmp_path / "further" / "adapter")
    shallow = generate(model, [3, 4], "shallow", NoiseTape(1), max_new_tokens=12, draft_budget=3)
    assert shallow.tokens == generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=12).tokens
    with pytest.raises(ValueError, match="name it with init"):
        train(config(folders, tmp_path / "none", objective="shallow"))


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


def test_the_speed_is_measured_against_the_products_of_the_same_steps(folders, capsys):
    from ptp_core.__main__ import main

    common = ["train-speed", "--data", str(folders / "data"), "--model", str(folders / "model"), "--rank=4"]
    common += ["--device=cpu", "--dtype=float32", "--max-tokens=300", "--starts=8"]
    for variant in ("o-ptp", "c-ptp"):
        assert main([*common, "--rows=3", f"--variant={variant}"]) == 0
        assert "times as many" in capsys.readouterr().out
    assert main([*common, "--rows=1"]) == 1
    assert "Two conversations" in capsys.readouterr().err


def test_training_without_a_teacher(folders, tmp_path):
    train(config(folders, tmp_path / "run", variant="c-ptp", objective="inverse", steps=6, start_slot=True))
    adapter = load_adapter(tmp_path / "run" / "adapter")
    assert adapter.config.start_slot
    assert adapter.config.training["objective"] == "inverse"
    model = load_model(folders / "model", tmp_path / "run" / "adapter")
    texts = [generate(model, [3, 4], m, NoiseTape(1), max_new_tokens=12, **b).tokens
             for m, b in (("ar", {}), ("pqd", {"draft_budget": 8}))]  # fmt: skip
    assert texts[0] == texts[1]


def test_an_adapter_gains_a_chain_head_or_loses_its_u(folders, tmp_path):
    train(config(folders, tmp_path / "first", steps=2))
    first = str(tmp_path / "first" / "adapter")
    result = train(config(folders, tmp_path / "chained", steps=3, init=first, chain=8, chain_rate=2.0))
    chained = load_adapter(tmp_path / "chained" / "adapter")
    assert chained.config.chain == 8
    assert float(chained.chain["outer.weight"].abs().sum()) > 0, "the chain head was not trained"
    assert result.without_chain is not None

    blind = {"variant": "independent", "u_embedding": "blank"}
    train(config(folders, tmp_path / "blind", steps=2, init=first, **blind))
    adapter = load_adapter(tmp_path / "blind" / "adapter")
    assert not adapter.config.reads_u
    assert set(adapter.u_embed) == {"vector"}
    with pytest.raises(ValueError, match="Chain head"):
        train(config(folders, tmp_path, objective="inverse", variant="c-ptp", chain=8))
