"""Training an adapter by distillation: `python -m ptp_core train ...`, or train(config).

Every random draw of step n comes from (seed, n). So a run that was killed continues from its last checkpoint as if
nothing had happened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from ..model.parts import PARTS
from ..model.ptp_model import PTPModel
from ..storage.adapter_files import save_adapter
from .config import TrainConfig
from .conversations import Conversation, load_conversations, split_held_out
from .evaluate import Evaluation, evaluate
from .objectives import Distiller, build_model, objective_of
from .run_state import MetricsLog, RunState, averaged, load_checkpoint, save_checkpoint

_STRETCH = 32  # batches that are sorted by length together

SaveAdapter = Callable[[Path], None]  # writes the adapter as it stands into a folder


def train(config: TrainConfig, on_step: Callable[[RunState, SaveAdapter], None] | None = None) -> Evaluation:
    """Runs or resumes the training in config.out; returns the last evaluation on held-out conversations.

    Writes <out>/adapter (the best so far by tokens per call), <out>/checkpoint and <out>/metrics.jsonl.
    on_step hears of every step, in the main process only, and may save the adapter as it stands or end the run by
    an exception.
    """
    objective = objective_of(config)
    accelerator = Accelerator(cpu=config.device == "cpu")
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    model, config = build_model(config, config.device)
    rows = [r for r in load_conversations(config.data) if len(r.ids) <= config.max_tokens and len(r.ids) - r.p > 8]
    training, held_out = split_held_out(rows)
    if not training or not held_out:
        raise ValueError(f"No conversations to train on or none held out: {len(rows)} in {config.data} are usable.")
    held_out = held_out[: config.evaluate_rows]
    objective.prepare(model, training)
    parameters = model.train_adapter(objective.parts)
    chain = list(model.chain.parameters()) if model.chain is not None and "chain" in objective.parts else []
    groups = [{"params": parameters[: len(parameters) - len(chain)]}] + ([{"params": chain}] if chain else [])
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    distiller, optimizer = accelerator.prepare(Distiller(model, config), optimizer)
    average = [p.detach().clone() for p in parameters] if config.ema else []
    state = load_checkpoint(out, parameters, average, optimizer)
    log = MetricsLog(out / "metrics.jsonl", state, accelerator.is_main_process)

    order = RowOrder([len(row.ids) for row in training], config.batch, config.seed)

    bar = tqdm(total=config.steps, initial=state.step, disable=not accelerator.is_local_main_process, unit="step")
    result: Evaluation | None = None

    def save(folder: Path) -> None:
        with averaged(parameters, average):
            _save_adapter(folder, model, config, state, result)

    while not _finished(config, state):
        began = time.monotonic()
        rate = config.learning_rate * _schedule(config, state)
        for group, share in zip(optimizer.param_groups, (1.0, config.chain_rate), strict=False):
            group["lr"] = rate * share
        loss, targets = 0.0, 0
        for part in range(config.accumulate):
            chosen, generator = _choose(training, order, config, state.step, part, accelerator)
            each, count = distiller(chosen, generator)
            accelerator.backward(each / config.accumulate)
            loss, targets = loss + float(each.detach()) / config.accumulate, targets + count
        accelerator.clip_grad_norm_(parameters, config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for mean, parameter in zip(average, parameters, strict=True) if average else ():
            mean.lerp_(parameter.detach(), 1 - config.ema)
        state.advance(time.monotonic() - began, targets * accelerator.num_processes)
        log.write(step=state.step, loss=round(loss, 5), lr=rate, targets=state.targets, seconds=round(state.seconds, 2))
        bar.set_postfix_str(f"loss {loss:.3f}, {state.targets / state.seconds:.0f} targets/s", refresh=False)
        bar.update()

        last = _finished(config, state)
        if accelerator.is_main_process and (last or state.step % config.evaluate_every == 0):
            with averaged(parameters, average):
                result = evaluate(model, held_out, reader=objective.reader)
                log.write(step=state.step, **result.to_json())
                tqdm.write(f"step {state.step}: {_summary(result)}")
                if result.tokens_per_call > state.best:
                    state.best = result.tokens_per_call
                    _save_adapter(out / "adapter", model, config, state, result)
        if accelerator.is_main_process and (last or state.step % config.save_every == 0):
            save_checkpoint(out, parameters, average, optimizer, state)
        if on_step is not None and accelerator.is_main_process:
            on_step(state, save)
    bar.close()
    return result or evaluate(model, held_out, reader=objective.reader)


def _finished(config: TrainConfig, state: RunState) -> bool:
    return state.seconds >= 60 * config.minutes if config.minutes else state.step >= config.steps


def _schedule(config: TrainConfig, state: RunState) -> float:
    """Share of the learning rate: linear warm-up, then a cosine over steps or, if minutes are given, time."""
    if state.step < config.warmup:
        return (state.step + 1) / config.warmup
    done = state.seconds / (60 * config.minutes) if config.minutes else state.step / max(config.steps, 1)
    return config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _choose(
    rows: Sequence[Conversation],
    order: RowOrder,
    config: TrainConfig,
    step: int,
    part: int,
    accelerator: Accelerator,
) -> tuple[list[Conversation], torch.Generator]:
    """This process's conversations of one part of a step, without replacement within an epoch, and a generator."""
    place = (step * config.accumulate + part) * accelerator.num_processes + accelerator.process_index
    generator = torch.Generator().manual_seed((config.seed << 40) + place)
    return [rows[order.at(i)] for i in range(place * config.batch, (place + 1) * config.batch)], generator


class RowOrder:
    """In which order epochs take rows of these lengths: shuffled, but with rows of similar length in a batch.

    A batch is padded to its longest row. So each stretch of some batches is sorted by length and cut into batches,
    which then are shuffled. With a batch of one row the order is a plain shuffle.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = lengths, batch, seed
        self._epochs: dict[int, list[int]] = {}

    def at(self, place: int) -> int:
        """The row at a place of the endless order of all epochs."""
        epoch, offset = divmod(place, len(self._lengths))
        if epoch not in self._epochs:
            self._epochs = {e: order for e, order in self._epochs.items() if e == epoch - 1}  # a batch may need both
            self._epochs[epoch] = self._shuffled(epoch)
        return self._epochs[epoch][offset]

    def _shuffled(self, epoch: int) -> list[int]:
        count, batch = len(self._lengths), self._batch
        generator = torch.Generator().manual_seed((self._seed << 40) + epoch)
        order = torch.randperm(count, generator=generator).tolist()
        if batch == 1:
            return order
        begin = min(-epoch * count % batch, count)  # rows that complete the last epoch's last batch
        end = begin + (count - begin) // batch * batch
        batches = []
        for start in range(begin, end, _STRETCH * batch):
            stretch = order[start : min(start + _STRETCH * batch, end)]
            stretch.sort(key=lambda i: self._lengths[i])
            batches += [stretch[k : k + batch] for k in range(0, len(stretch), batch)]
        mixed = torch.randperm(len(batches), generator=generator).tolist()
        return [*order[:begin], *(i for k in mixed for i in batches[k]), *order[end:]]


def _save_adapter(
    folder: Path, model: PTPModel, config: TrainConfig, state: RunState, result: Evaluation | None
) -> None:
    """Writes the model's adapter, with its last evaluation if there was one."""
    history = {**asdict(config), "step": state.step, "targets": state.targets, "seconds": round(state.seconds)}
    found: dict[str, Any] = {"training": history}
    if result is not None:
        found |= {"draft_run": result.draft_run, "evaluation": {"held_out": result.to_json()}}
    settings = objective_of(config).recorded(model.require_adapter(), config, found)
    settings = replace(settings, target=dict(model.target_info))
    weights = {name: PARTS[name].halved(part) for name, part in model.adapter_weights().items()}
    save_adapter(folder, settings, **weights)


def _summary(result: Evaluation) -> str:
    slots = " ".join(f"{a:.3f}" for a in result.slot_accuracy)
    alone = "" if result.without_chain is None else f" ({result.without_chain:.3f} without the chain)"
    return f"{result.tokens_per_call:.3f} tokens per call{alone}; slots {slots}; {result.calls} calls"
