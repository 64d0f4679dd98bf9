"""What long runs share: processes that average their gradients, their pace, states, a log."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import nn

_STATE, _LOG = "state.pt", "log.jsonl"


class Crew:
    """The processes of a run, one core each. Rank 0 measures and saves."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def average(self, module: nn.Module) -> None:
        """Replaces every gradient by the mean over all processes."""
        if self.size == 1:
            return
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, number: float) -> float:
        """Rank 0's number, in all processes."""
        if self.size == 1:
            return number
        found = torch.tensor([number])
        dist.broadcast(found, 0)
        return float(found)

    def meet(self) -> None:
        """Waits until all are here."""
        if self.size > 1:
            dist.barrier()


def run_crew(work: Callable[[Crew, Any], None], config: Any, size: int) -> None:
    """Calls work(crew, config) in this process, or in `size` new ones of one thread each."""
    if size == 1:
        work(Crew(0, 1), config)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.multiprocessing.spawn(_member, (work, config, size), nprocs=size)


def _member(rank: int, work: Callable[[Crew, Any], None], config: Any, size: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=size)
    work(Crew(rank, size), config)
    dist.destroy_process_group()


class PaceConfig(Protocol):
    """What the settings of all long runs have: see PretrainConfig."""

    @property
    def minutes(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def cooling(self) -> float: ...
    @property
    def evaluate_every(self) -> int: ...


class Pace:
    """Where a run stands, by its steps and its minutes of training; evaluations do not count."""

    def __init__(self, crew: Crew, config: PaceConfig, step: int, seconds: float) -> None:
        self.step, self.seconds = step, seconds
        self._crew, self._config, self._last = crew, config, time.perf_counter()

    @property
    def done(self) -> float:
        """1 or more where the steps (0: no limit) or the minutes are over."""
        limit = self._config.steps
        return max(self.seconds / (60 * self._config.minutes), self.step / limit if limit else 0.0)

    @property
    def rate(self) -> float:
        """Share of the learning rates: it rises over the warm-up, and falls to zero in the last `cooling` share."""
        return min((self.step + 1) / self._config.warmup, (1 - self.done) / self._config.cooling, 1.0)

    def tick(self) -> bool:
        """Counts a step. Whether it is time to evaluate; then `resume` follows."""
        self.step += 1
        now = time.perf_counter()
        self.seconds, self._last = self._crew.agree(self.seconds + now - self._last), now
        return self.done >= 1 or self.step % self._config.evaluate_every == 0

    def resume(self) -> None:
        """Goes on when all processes are here."""
        self._crew.meet()
        self._last = time.perf_counter()


def set_rates(optimizer: Any, rate: float) -> None:
    """Gives all parameters of an optimizer this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def save_state(
    out: Path, module: nn.Module, optimizers: Sequence[Any], step: int, seconds: float, config: Mapping[str, Any]
) -> None:
    """Writes all that the run needs to go on; the file replaces its predecessor in one step."""
    state = {
        "net": module.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "step": step,
        "seconds": seconds,
        "config": dict(config),
    }
    torch.save(state, out / "state.new")
    (out / "state.new").replace(out / _STATE)


def load_state(out: Path, module: nn.Module, optimizers: Sequence[Any]) -> tuple[int, float]:
    """Step and seconds of the state in this folder, which fills module and optimizers; zeros if there is none."""
    if not (out / _STATE).is_file():
        return 0, 0.0
    state = torch.load(out / _STATE, weights_only=True)
    module.load_state_dict(state["net"])
    for optimizer, found in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(found)
    return int(state["step"]), float(state["seconds"])


class Log:
    """Means of the losses since the last row, and rows of figures in a file."""

    def __init__(self, out: Path) -> None:
        self._file = out / _LOG
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, name: str, loss: float) -> None:
        total, count = self._sums.get(name, (0.0, 0))
        self._sums[name] = total + loss, count + 1

    def write(self, row: Mapping[str, Any]) -> None:
        means = {name: round(total / count, 4) for name, (total, count) in self._sums.items()}
        self._sums.clear()
        with self._file.open("a") as file:
            file.write(json.dumps({"train": means, **row}) + "\n")
