import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch

from ptp_core.training.run_state import MetricsLog, RunState, load_checkpoint, save_checkpoint


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
