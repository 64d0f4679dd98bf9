"""Pretraining of a small target: its schedule, its processes, its states, its log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .loss import measure, step_loss
from .network import Shape, SmallLlama
from .processes import Crew, Log, Pace, load_state, run_crew, save_state, set_rates
from .sequences import Sequences, held_out_sequences


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of a pretraining run.

    data       folder with train.npy and held_out.npy (rows of token ids) and tokenizer.json
    out        folder of the run; one that holds a state is continued
    batch      sequences a step and process, of `length` tokens
    windows    of `slots` slots each, in every sequence; the share `blind` of them is not told u
    alone      steps without slots at the start: u means little before the target knows anything
    weight     of the slots' loss beside the target's
    rate       learning rate of the matrices (Muon); `small_rate` that of all else (AdamW)
    minutes    of training; in the last `cooling` share of them the rates fall to zero
    steps      to end after; 0: the minutes alone count
    processes  that share every step; each takes one core
    """

    data: str = ""
    out: str = ""
    hidden: int = 256
    layers: int = 8
    mlp: int = 512
    batch: int = 12
    length: int = 256
    windows: int = 12
    alone: int = 150
    slots: int = 8
    blind: float = 0.25
    weight: float = 0.5
    rate: float = 0.02
    small_rate: float = 3e-3
    warmup: int = 50
    minutes: float = 60.0
    steps: int = 0
    cooling: float = 0.35
    evaluate_every: int = 100
    seed: int = 0
    processes: int = 1


def pretrain(config: PretrainConfig) -> Path:
    """Trains until the minutes are over, and returns the run's folder. A run that was ended goes on where it was.

    FileNotFoundError if the data is missing.
    """
    for name in ("train.npy", "held_out.npy", "tokenizer.json"):
        if not (Path(config.data) / name).is_file():
            raise FileNotFoundError(f"The data folder {config.data!r} has no {name}; the command `texts` makes it.")
    Path(config.out).mkdir(parents=True, exist_ok=True)
    run_crew(_run, config, config.processes)
    return Path(config.out)


def _run(crew: Crew, config: PretrainConfig) -> None:
    torch.manual_seed(config.seed)
    data, out = Path(config.data), Path(config.out)
    vocabulary = len(json.loads((data / "tokenizer.json").read_text())["model"]["vocab"])
    net = SmallLlama(Shape(vocabulary, config.hidden, config.layers, config.mlp))
    matrices = [p for layer in net.layers for p in layer.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in net.parameters() if id(p) not in chosen]
    optimizers = [
        torch.optim.Muon(matrices, lr=config.rate, weight_decay=0.01),
        torch.optim.AdamW(others, lr=config.small_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    pace = Pace(crew, config, *load_state(out, net, optimizers))
    batches = Sequences(np.load(data / "train.npy", mmap_mode="r"), config.batch, config.length, config.seed)
    held_out = held_out_sequences(np.load(data / "held_out.npy", mmap_mode="r"), config.length)
    generator, log = torch.Generator().manual_seed(1000 * config.seed + crew.rank), Log(out)
    while pace.done < 1:
        for optimizer, rate in zip(optimizers, (config.rate, config.small_rate), strict=True):
            set_rates(optimizer, rate * pace.rate)
        windows = config.windows if pace.step >= config.alone else 0
        losses = step_loss(net, batches.at(pace.step, crew), windows, config.slots, config.blind, generator)
        real, told, blind = losses
        (real + config.weight * ((1 - config.blind) * told + config.blind * blind)).backward()
        for name, loss in zip(("real", "told", "blind"), losses, strict=True):
            log.add(name, float(loss.detach()))
        crew.average(net)
        nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if not pace.tick():
            continue
        if crew.rank == 0:
            figures = measure(net, held_out, 16, config.slots, torch.Generator().manual_seed(0))
            read = pace.step * config.batch * config.length * crew.size
            log.write({"step": pace.step, "tokens": read, "seconds": round(pace.seconds), **figures})
            save_state(out, net, optimizers, pace.step, pace.seconds, asdict(config))
        pace.resume()
