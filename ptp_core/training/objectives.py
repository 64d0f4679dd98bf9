"""What a training step computes, and the model that it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..model.chain_head import ChainHead
from ..model.config import Adapter, AdapterConfig, LoraConfig, ShallowConfig
from ..model.parts import new_adapter
from ..model.ptp_model import PTPModel
from ..model.shallow_slots import ShallowSlots
from ..model.u_embedding import build_u_embedding
from ..storage.adapter_files import load_adapter
from ..storage.load import Target, assemble, load_target
from .config import TrainConfig
from .conversations import Conversation
from .inverse import draw_inverse_windows
from .losses import default_loss, distillation_loss, restricted_vocabulary
from .shallow import shallow_loss
from .windows import IGNORE, draw_windows, window_hidden


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
            unchained=None, picked=None, picked_unchained=None,
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
