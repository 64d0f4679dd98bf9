"""Training an adapter by distillation: `python -m ptp_core train ...`, or train(config).

Every random draw of step n comes from (seed, n), so a run that was killed goes on from its last
checkpoint as if nothing had happened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from .adapters import new_adapter
from .chain import ChainHead
from .checkpoint import VARIANTS, Adapter, AdapterConfig, load_adapter, save_adapter
from .data import Conversation, load_conversations, split_held_out
from .distill import (
    IGNORE,
    LOSSES,
    WindowConfig,
    default_loss,
    distillation_loss,
    draw_windows,
    restricted_vocabulary,
    window_hidden,
)
from .evaluate import Evaluation, evaluate
from .gated_lora import LoraConfig
from .inverse_ar import draw_inverse_windows
from .load import Target, assemble, load_target
from .model import PTPModel
from .resume import MetricsLog, RunState, averaged, load_checkpoint, save_checkpoint
from .shallow import ShallowConfig, ShallowSlots
from .shallow_train import prepare_shallow, shallow_loss
from .u_embed import build_u_embedding

OBJECTIVES = ("distill", "inverse", "shallow")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run. A step is `batch` conversations per process, `accumulate` times."""

    data: str
    out: str
    model: str | None = None  # None: the default target
    init: str | None = None  # an adapter to start from; decides LoRA sizes, CDF order and, unless u-blind, embedding
    objective: str = "distill"  # or "inverse": from the texts alone; or "shallow": shallow slots for the adapter `init`
    variant: str = "o-ptp"
    start_slot: bool = False
    anchor: bool = False
    depth: int = 8  # of shallow slots, in layers; their rank is `rank`, their window `window` (shallow.py)
    vocabulary: int = 8192  # tokens that shallow slots can draft
    chain: int = 0  # width of the chain head, 0 for none (chain.py); added to an adapter that has none
    loss: str = ""  # empty: cross_entropy for o-ptp, kl for the others
    u_embedding: str = "fourier"  # "blank" for independent
    rank: int = 32
    alpha: float = 32.0
    window: int = 4
    starts: int = 128
    beta: float = 0.5
    focus: float = 0.0  # on starts at tokens that the teacher did not expect (distill.WindowConfig)
    decay: float = 0.75
    order: str = "probability"
    steps: int = 1000
    batch: int = 1
    accumulate: int = 2
    learning_rate: float = 1e-3
    chain_rate: float = 1.0  # the chain head's learning rate, as a multiple of the others'
    warmup: int = 50
    final_share: float = 0.05  # of the learning rate, where the cosine ends
    clip: float = 1.0
    ema: float = 0.0
    whole_vocabulary: bool = False  # False: the softmax runs over tokens that the teacher considers
    max_tokens: int = 2048  # longer conversations are left out
    evaluate_every: int = 200
    evaluate_rows: int = 40
    save_every: int = 100
    minutes: float = 0.0  # stop after so much time, 0: after `steps`; the schedule follows the clock then
    seed: int = 0
    dtype: str = "bfloat16"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"Unknown variant {self.variant!r}; known: {', '.join(VARIANTS)}.")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"Unknown objective {self.objective!r}; known: {', '.join(OBJECTIVES)}.")
        if self.objective == "inverse" and (self.variant, self.loss or "cross_entropy") != ("c-ptp", "cross_entropy"):
            raise ValueError("Inverse autoregressive training is for c-ptp, by cross_entropy.")
        if not 0 <= self.focus < 1:
            raise ValueError(f"focus must lie in [0, 1), got {self.focus!r}.")
        if self.objective == "inverse" and (self.chain or self.focus):
            raise ValueError("Chain head and focus need a teacher: inverse autoregressive training has none.")
        if self.objective == "shallow" and (self.init is None or self.chain):
            raise ValueError("Shallow slots are added to an adapter: name it with init. They have no chain head.")
        if self.loss and self.loss not in LOSSES:
            raise ValueError(f"Unknown loss {self.loss!r}; known: {', '.join(LOSSES)}.")

    @property
    def windows(self) -> WindowConfig:
        return WindowConfig(self.window, self.starts, self.beta, order=self.order, focus=self.focus)


class Distiller(nn.Module):
    """The model with its loss as one module, so that accelerate can spread it over processes."""

    def __init__(self, model: PTPModel, config: TrainConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(self, rows: Sequence[Conversation], generator: torch.Generator) -> tuple[Tensor, int]:
        """Loss of windows drawn from the conversations, and how many targets it counts."""
        config = self.config
        inverse = config.objective == "inverse"
        if config.objective == "shallow":
            loss = config.loss or "cross_entropy"
            return shallow_loss(
                self.model, rows, config.windows, generator, loss, config.decay, not config.whole_vocabulary
            )
        draw = draw_inverse_windows if inverse else draw_windows
        batch, context = draw(self.model, rows, config.windows, generator)
        hidden = window_hidden(self.model, batch, context)
        # without a teacher nothing says which tokens could have come, so all of them compete
        vocabulary = None if config.whole_vocabulary or inverse else restricted_vocabulary(batch)
        loss = "cross_entropy" if inverse else config.loss or default_loss(config.variant)
        return (
            distillation_loss(self.model, batch, hidden, loss, config.decay, vocabulary),
            int((batch.targets != IGNORE).sum()),
        )


def train(config: TrainConfig) -> Evaluation:
    """Runs or resumes the training in config.out; returns the last evaluation on held-out conversations.

    Writes <out>/adapter (the best so far by tokens per call), <out>/checkpoint and <out>/metrics.jsonl.
    """
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
    shallow = config.objective == "shallow"
    if shallow and not model.require_shallow().config.training:
        prepare_shallow(model, training)
    parameters = model.train_adapter("shallow" if shallow else "slots")
    chain = [] if model.chain is None or shallow else list(model.chain.parameters())
    groups = [{"params": parameters[: len(parameters) - len(chain)]}] + ([{"params": chain}] if chain else [])
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    distiller, optimizer = accelerator.prepare(Distiller(model, config), optimizer)
    average = [p.detach().clone() for p in parameters] if config.ema else []
    state = load_checkpoint(out, parameters, average, optimizer)
    log = MetricsLog(out / "metrics.jsonl", state, accelerator.is_main_process)

    bar = tqdm(total=config.steps, initial=state.step, disable=not accelerator.is_local_main_process, unit="step")
    result: Evaluation | None = None
    while not _finished(config, state):
        began = time.monotonic()
        rate = config.learning_rate * _schedule(config, state)
        for group, share in zip(optimizer.param_groups, (1.0, config.chain_rate), strict=False):
            group["lr"] = rate * share
        loss, targets = 0.0, 0
        for part in range(config.accumulate):
            chosen, generator = _choose(training, config, state.step, part, accelerator)
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
                result = evaluate(model, held_out, shallow=shallow)
                log.write(step=state.step, **result.to_json())
                tqdm.write(f"step {state.step}: {_summary(result)}")
                if result.tokens_per_call > state.best:
                    state.best = result.tokens_per_call
                    _save_adapter(out / "adapter", model, config, state, result)
        if accelerator.is_main_process and (last or state.step % config.save_every == 0):
            save_checkpoint(out, parameters, average, optimizer, state)
    bar.close()
    return result or evaluate(model, held_out, shallow=shallow)


def build_model(config: TrainConfig, device: str) -> tuple[PTPModel, TrainConfig]:
    """The target with a fresh adapter, or with config.init, whose kind then overrides the configuration's."""
    target = load_target(config.model, device, config.dtype)
    if config.init:
        adapter = load_adapter(config.init)
        if config.objective == "shallow":
            return _with_shallow(target, adapter, config)
        found = adapter.config
        variant, anchor = config.variant, config.anchor  # a start may be continued as another variant
        found = replace(
            found, variant=variant, anchor=anchor, window=config.window, confidence=None, draft_run_rejected=(),
            unchained=None,
        )  # fmt: skip
        adapter = _with_parts(replace(adapter, config=found), config, int(target.model.config.hidden_size))
        found = adapter.config
        config = replace(config, u_embedding=found.u_embedding["kind"], rank=found.lora.rank, order=found.order)
    else:
        lora = LoraConfig(config.rank, config.alpha)
        fresh = AdapterConfig(
            variant=config.variant, start_slot=config.start_slot, anchor=config.anchor, window=config.window,
            order=config.order, u_embedding={"kind": config.u_embedding}, lora=lora, chain=config.chain,
        )  # fmt: skip
        adapter = new_adapter(target.model, fresh)
    if config.objective == "inverse" and adapter.config.chain:
        raise ValueError("The chain head is trained by distillation, not by inverse autoregressive training.")
    return assemble(target, adapter, quick=False), config


def _with_parts(adapter: Adapter, config: TrainConfig, size: int) -> Adapter:
    """The adapter with fresh parts that the run asks for and it lacks: a chain head, an embedding without u."""
    found = adapter.config
    if config.chain and not found.chain:
        adapter = replace(adapter, chain=ChainHead(size, config.chain).state_dict())
        found = replace(found, chain=config.chain)
    if config.u_embedding == "blank" and found.reads_u:
        found = replace(found, u_embedding={"kind": "blank"})
        adapter = replace(adapter, u_embed=build_u_embedding("blank", size, found.start_slot).state_dict())
    return replace(adapter, config=found)


def _with_shallow(target: Target, adapter: Adapter, config: TrainConfig) -> tuple[PTPModel, TrainConfig]:
    """The adapter with its shallow slots, fresh ones where it has none; nothing else about it changes."""
    found = adapter.config
    if found.shallow is None:
        options = {"kind": config.u_embedding}
        fresh = ShallowConfig(config.depth, config.rank, config.vocabulary, config.window, options)
        found = replace(found, shallow=fresh)
        adapter = replace(adapter, config=found, shallow=ShallowSlots(fresh, target.model).state_dict())
    assert found.shallow is not None
    shallow = replace(found.shallow, window=config.window, confidence=None)
    found = replace(found, shallow=shallow)
    config = replace(
        config, depth=shallow.depth, rank=shallow.rank, vocabulary=shallow.vocabulary,
        u_embedding=shallow.u_embedding["kind"], order=found.order, variant=found.variant,
    )  # fmt: skip
    return assemble(target, replace(adapter, config=found), quick=False), config


def _finished(config: TrainConfig, state: RunState) -> bool:
    return state.seconds >= 60 * config.minutes if config.minutes else state.step >= config.steps


def _schedule(config: TrainConfig, state: RunState) -> float:
    """Share of the learning rate: linear warm-up, then a cosine over steps or, if minutes are given, time."""
    if state.step < config.warmup:
        return (state.step + 1) / config.warmup
    done = state.seconds / (60 * config.minutes) if config.minutes else state.step / max(config.steps, 1)
    return config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _choose(
    rows: Sequence[Conversation], config: TrainConfig, step: int, part: int, accelerator: Accelerator
) -> tuple[list[Conversation], torch.Generator]:
    """This process's conversations of one part of a step, without replacement within an epoch, and a generator."""
    place = (step * config.accumulate + part) * accelerator.num_processes + accelerator.process_index
    generator = torch.Generator().manual_seed((config.seed << 40) + place)
    chosen = []
    for i in range(place * config.batch, (place + 1) * config.batch):
        epoch, offset = divmod(i, len(rows))
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed((config.seed << 40) + epoch))
        chosen.append(rows[int(order[offset])])
    return chosen, generator


def _save_adapter(folder: Path, model: PTPModel, config: TrainConfig, state: RunState, result: Evaluation) -> None:
    lora, (u_embed, chain, shallow) = model.adapter_weights()
    settings = model.require_adapter()
    history = {**asdict(config), "step": state.step, "targets": state.targets, "seconds": round(state.seconds)}
    found: dict[str, Any] = {"draft_run": result.draft_run, "training": history}
    found["evaluation"] = {"held_out": result.to_json()}
    if config.objective == "shallow":
        assert settings.shallow is not None
        settings = replace(settings, shallow=replace(settings.shallow, **found))
    else:
        sampling = {"top_k": config.windows.top_k, "top_p": config.windows.top_p, "temperature": "as sampled"}
        settings = replace(settings, name=Path(config.out).name, sampling=sampling, **found)
    settings = replace(settings, target=dict(model.target_info))
    halves = {name: (a.bfloat16(), b.bfloat16()) for name, (a, b) in lora.items()}
    save_adapter(folder, settings, halves, u_embed, _halved(chain), _halved(shallow))


def _halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.bfloat16() if tensor.is_floating_point() else tensor.int() for name, tensor in state.items()}


def _summary(result: Evaluation) -> str:
    slots = " ".join(f"{a:.3f}" for a in result.slot_accuracy)
    alone = "" if result.without_chain is None else f" ({result.without_chain:.3f} without the chain)"
    return f"{result.tokens_per_call:.3f} tokens per call{alone}; slots {slots}; {result.calls} calls"
