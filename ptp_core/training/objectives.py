"""The objectives of training: which parts a run trains, from which start, by which loss, and where its figures go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..model.config import Adapter, AdapterConfig, LoraConfig, ParallelConfig, ShallowConfig
from ..model.parts import PARTS, new_adapter
from ..model.ptp_model import DEEP_PARTS, PTPModel
from ..storage.adapter_files import load_adapter
from ..storage.load import Target, assemble, load_target
from .config import TrainConfig
from .conversations import Conversation
from .evaluate import DEEP, Reader
from .inverse import draw_inverse_windows
from .losses import default_loss, distillation_loss, restricted_vocabulary
from .shallow import PARALLEL, SHALLOW, prepare_shallow, shallow_loss
from .windows import IGNORE, draw_windows, window_hidden


class Objective:
    """One kind of training. Subclasses say what differs.

    parts    the adapter's parts that are trained (model/parts.py)
    reader   how evaluation reads the drafts
    """

    parts: Sequence[str] = DEEP_PARTS
    reader: Reader = DEEP

    def check(self, config: TrainConfig) -> None:
        """ValueError if the settings do not fit this objective."""

    def start(self, target: Target, config: TrainConfig) -> tuple[Adapter, TrainConfig]:
        """The adapter to train, and the settings, in which what the adapter decides is filled in."""
        if config.init:
            return self.start_from(load_adapter(config.init), target, config)
        fresh = AdapterConfig(
            variant=config.variant, start_slot=config.start_slot, anchor=config.anchor, window=config.window,
            order=config.order, u_embedding={"kind": config.u_embedding}, lora=LoraConfig(config.rank, config.alpha),
            chain=config.chain,
        )  # fmt: skip
        return new_adapter(target.model, fresh), config

    def start_from(self, adapter: Adapter, target: Target, config: TrainConfig) -> tuple[Adapter, TrainConfig]:
        """The same from a given adapter. Its LoRA, CDF order and, unless u-blind, u embedding override the settings."""
        found = replace(
            adapter.config, variant=config.variant, anchor=config.anchor, window=config.window,
            confidence=None, draft_run_rejected=(), unchained=None, picked=None, picked_unchained=None,
            raced=None, raced_unchained=None,
        )  # fmt: skip
        wanted = replace(found, chain=found.chain or config.chain)
        if config.u_embedding == "blank" and found.reads_u:
            wanted = replace(wanted, u_embedding={"kind": "blank"})
        settings = [(name, part.setting) for name, part in PARTS.items()]
        new = [name for name, setting in settings if getattr(wanted, setting) != getattr(found, setting)]
        weights = {name: PARTS[name].fresh(wanted, target.model) for name in new}
        kind = wanted.u_embedding["kind"]
        config = replace(config, u_embedding=kind, rank=wanted.lora.rank, order=wanted.order)
        return replace(adapter, config=wanted, **weights), config

    def prepare(self, model: PTPModel, rows: Sequence[Conversation]) -> None:
        """What is done once, with the conversations to train on, before the first step."""

    def loss(
        self, model: PTPModel, rows: Sequence[Conversation], config: TrainConfig, generator: torch.Generator
    ) -> tuple[Tensor, int]:
        """The loss of windows drawn from the conversations, and how many targets it counts."""
        raise NotImplementedError

    def recorded(self, settings: AdapterConfig, config: TrainConfig, found: Mapping[str, Any]) -> AdapterConfig:
        """The adapter's settings with what training found: draft_run, training and evaluation."""
        sampling = {"top_k": config.windows.top_k, "top_p": config.windows.top_p, "temperature": "as sampled"}
        return replace(settings, name=Path(config.out).name, sampling=sampling, **found)


class _Distillation(Objective):
    """Slots learn what the target will pick."""

    def loss(
        self, model: PTPModel, rows: Sequence[Conversation], config: TrainConfig, generator: torch.Generator
    ) -> tuple[Tensor, int]:
        batch, context = draw_windows(model, rows, config.windows, generator)
        hidden = window_hidden(model, batch, context)
        vocabulary = None if config.whole_vocabulary else restricted_vocabulary(batch, model.num_tokens)
        loss = config.loss or default_loss(config.variant)
        value = distillation_loss(model, batch, hidden, loss, config.decay, vocabulary)
        return value, int((batch.targets != IGNORE).sum())


class _Inverse(Objective):
    """Inverse autoregressive training: slots learn from the texts alone. No teacher says which tokens could have
    come, so all of them compete."""

    def check(self, config: TrainConfig) -> None:
        if (config.variant, config.loss or "cross_entropy") != ("c-ptp", "cross_entropy"):
            raise ValueError("Inverse autoregressive training is for c-ptp, by cross_entropy.")
        if config.chain or config.focus:
            raise ValueError("Chain head and focus need a teacher: inverse autoregressive training has none.")

    def start_from(self, adapter: Adapter, target: Target, config: TrainConfig) -> tuple[Adapter, TrainConfig]:
        if adapter.config.chain:
            raise ValueError("The chain head is trained by distillation, not by inverse autoregressive training.")
        return super().start_from(adapter, target, config)

    def loss(
        self, model: PTPModel, rows: Sequence[Conversation], config: TrainConfig, generator: torch.Generator
    ) -> tuple[Tensor, int]:
        batch, context = draw_inverse_windows(model, rows, config.windows, generator)
        hidden = window_hidden(model, batch, context)
        value = distillation_loss(model, batch, hidden, "cross_entropy", config.decay)
        return value, int((batch.targets != IGNORE).sum())


T = TypeVar("T", Adapter, AdapterConfig)


def _with(whole: T, **parts: Any) -> T:
    """The same with other parts, by their names."""
    return replace(whole, **parts)


class _Shallow(Objective):
    """Shallow slots learn what the target will pick. The rest of the adapter stays as it is."""

    parts, reader, loss_name = ("shallow",), SHALLOW, "cross_entropy"

    @property
    def part(self) -> str:
        return self.parts[0]

    def fresh(self, found: AdapterConfig, config: TrainConfig) -> ShallowConfig:
        """The slots of an adapter that has none."""
        return ShallowConfig(config.depth, config.rank, config.vocabulary, config.window, {"kind": config.u_embedding})

    def check(self, config: TrainConfig) -> None:
        if config.init is None or config.chain:
            raise ValueError("Shallow slots are added to an adapter: name it with init. They have no chain head.")

    def start_from(self, adapter: Adapter, target: Target, config: TrainConfig) -> tuple[Adapter, TrainConfig]:
        found = adapter.config
        if getattr(found, self.part) is None:
            found = _with(found, **{self.part: self.fresh(found, config)})
            weights = PARTS[self.part].fresh(found, target.model)
            adapter = _with(adapter, **{self.part: self.first_weights(weights, adapter)})
        slots = replace(getattr(found, self.part), window=config.window, confidence=None)
        config = replace(
            config, depth=slots.depth, rank=slots.rank, vocabulary=slots.vocabulary,
            u_embedding=slots.u_embedding["kind"], order=found.order, variant=found.variant,
        )  # fmt: skip
        return replace(adapter, config=_with(found, **{self.part: slots})), config

    def first_weights(self, weights: Mapping[str, Tensor], adapter: Adapter) -> Mapping[str, Tensor]:
        """What fresh slots begin with."""
        return weights

    def prepare(self, model: PTPModel, rows: Sequence[Conversation]) -> None:
        if not model.require_part(self.part).config.training:
            prepare_shallow(model, rows, self.part)

    def loss(
        self, model: PTPModel, rows: Sequence[Conversation], config: TrainConfig, generator: torch.Generator
    ) -> tuple[Tensor, int]:
        loss, restricted = config.loss or self.loss_name, not config.whole_vocabulary
        return shallow_loss(model, rows, config.windows, generator, loss, config.decay, restricted, self.part)

    def recorded(self, settings: AdapterConfig, config: TrainConfig, found: Mapping[str, Any]) -> AdapterConfig:
        return _with(settings, **{self.part: replace(getattr(settings, self.part), **found)})


class _Parallel(_Shallow):
    """The same for slots that draft a window at once. They begin as the adapter's shallow slots, where it has some."""

    parts, reader, loss_name = ("parallel",), PARALLEL, "total_variation"

    def fresh(self, found: AdapterConfig, config: TrainConfig) -> ShallowConfig:
        own = found.shallow or super().fresh(found, config)
        return ParallelConfig(
            own.depth, own.rank, own.vocabulary, config.window, {"kind": config.u_embedding}, markov=config.markov
        )

    def start_from(self, adapter: Adapter, target: Target, config: TrainConfig) -> tuple[Adapter, TrainConfig]:
        adapter, config = super().start_from(adapter, target, config)
        masks = adapter.parallel["masks"]  # one for each place of the window: the last one also for new places
        places = torch.arange(max(config.window - 1, 1)).clamp(max=len(masks) - 1)
        return replace(adapter, parallel={**adapter.parallel, "masks": masks[places]}), config

    def first_weights(self, weights: Mapping[str, Tensor], adapter: Adapter) -> Mapping[str, Tensor]:
        taken = {name: part for name, part in adapter.shallow.items() if not name.startswith("u_embed.")}
        return {**weights, **taken}

    def prepare(self, model: PTPModel, rows: Sequence[Conversation]) -> None:
        if model.require_adapter().shallow is None:
            super().prepare(model, rows)


OBJECTIVES: dict[str, Objective] = {
    "distill": _Distillation(),
    "inverse": _Inverse(),
    "shallow": _Shallow(),
    "parallel": _Parallel(),
}


def objective_of(config: TrainConfig) -> Objective:
    """The run's objective. ValueError if there is none of that name or the settings do not fit it."""
    if config.objective not in OBJECTIVES:
        raise ValueError(f"Unknown objective {config.objective!r}; known: {', '.join(OBJECTIVES)}.")
    objective = OBJECTIVES[config.objective]
    objective.check(config)
    return objective


def build_model(config: TrainConfig, device: str) -> tuple[PTPModel, TrainConfig]:
    """The target with the adapter to train, and the settings with what that adapter decides filled in."""
    objective = objective_of(config)
    target = load_target(config.model, device, config.dtype)
    adapter, config = objective.start(target, config)
    return assemble(target, adapter, quick=False), config


class Distiller(nn.Module):
    """The model with its loss as one module, so that accelerate can spread it over processes."""

    def __init__(self, model: PTPModel, config: TrainConfig) -> None:
        super().__init__()
        self.model, self.config, self.objective = model, config, objective_of(config)

    def forward(self, rows: Sequence[Conversation], generator: torch.Generator) -> tuple[Tensor, int]:
        """The loss of windows drawn from the conversations, and how many targets it counts."""
        return self.objective.loss(self.model, rows, self.config, generator)
