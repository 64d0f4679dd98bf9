"""A training run on disk: where it stands, its metrics, its checkpoints, its moving average."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class RunState:
    step: int = 0
    targets: int = 0
    seconds: float = 0.0
    best: float = 0.0

    def advance(self, seconds: float, targets: int) -> None:
        self.step, self.seconds, self.targets = self.step + 1, self.seconds + seconds, self.targets + targets


class averaged:
    """Within this context the parameters are their moving average, where one is kept."""

    def __init__(self, parameters: list[nn.Parameter], average: list[Tensor]) -> None:
        self._parameters, self._average = parameters, average

    def _swap(self) -> None:
        for parameter, mean in zip(self._parameters, self._average, strict=False):
            kept = parameter.data.clone()
            parameter.data.copy_(mean)
            mean.copy_(kept)

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *exception: object) -> None:
        self._swap()


class MetricsLog:
    """metrics.jsonl: a line per step and per evaluation. Lines behind the resumed step are dropped, and with
    them the half of a line that a kill may have left at the end."""

    def __init__(self, path: Path, state: RunState, enabled: bool) -> None:
        self._path, self._enabled = path, enabled
        if enabled and path.exists():
            whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
            part = path.with_suffix(".part")
            part.write_text("".join(line for line in whole if json.loads(line)["step"] <= state.step))
            part.replace(path)

    def write(self, **values: Any) -> None:
        if self._enabled:
            with self._path.open("a") as file:
                file.write(json.dumps(values) + "\n")


def save_checkpoint(
    out: Path, parameters: list[nn.Parameter], average: list[Tensor], optimizer: Any, state: RunState
) -> None:
    """Replaces <out>/checkpoint in one step; a kill at any moment leaves the old or the new one whole."""
    part, final, old = out / ".checkpoint.part", out / "checkpoint", out / ".checkpoint.old"
    if old.exists() and not final.exists():  # killed between the two renames: the old one is all there is
        old.rename(final)
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir()
    tensors = {"parameters": [p.detach() for p in parameters], "average": average, "optimizer": optimizer.state_dict()}
    torch.save(tensors, part / "tensors.pt")
    (part / "state.json").write_text(json.dumps(asdict(state)))
    if final.exists():
        final.rename(old)
    part.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(out: Path, parameters: list[nn.Parameter], average: list[Tensor], optimizer: Any) -> RunState:
    """Fills in the last checkpoint, if there is one; returns where the run stands."""
    folder = next((f for f in (out / "checkpoint", out / ".checkpoint.old") if (f / "state.json").is_file()), None)
    if folder is None:
        return RunState()
    tensors = torch.load(folder / "tensors.pt", weights_only=True)
    with torch.no_grad():
        for parameter, saved in zip(parameters, tensors["parameters"], strict=True):
            parameter.copy_(saved)
        for mean, saved in zip(average, tensors["average"], strict=True):
            mean.copy_(saved)
    optimizer.load_state_dict(tensors["optimizer"])
    return RunState(**json.loads((folder / "state.json").read_text()))
