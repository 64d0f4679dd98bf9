"""Training runs of the tiny model: their settings, their losses, and a run that is killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import torch

from ptp_core.training.config import TrainConfig

ROOT = Path(__file__).resolve().parent.parent.parent


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


def stop_after(folders, out, step, **changes):
    """Runs the training in a process of its own and kills it, hard, some time after a step was logged.

    It has as many threads as this one: sums over two differ from sums over one in their last digits. It waits at its
    end to be killed.
    """
    code = f"""
        import sys
        sys.path[:0] = [{str(ROOT)!r}]
        import torch
        import time
        torch.set_num_threads({torch.get_num_threads()})
        from ptp_core.training.config import TrainConfig
        from ptp_core.training.train import train
        train(TrainConfig(**{config(folders, out, **changes).__dict__!r}))
        time.sleep(120)
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
