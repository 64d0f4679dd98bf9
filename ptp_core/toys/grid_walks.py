"""Does inverse autoregressive training reach an autoregressive model? A task small enough to tell.

    python -m ptp_core toy-sequence

Symbols are 25 places on a grid. A walker prefers near and popular places. The same small network is trained twice
from nothing. Autoregressively, it reads the symbols before. By inverse autoregressive training, it reads only the u's
before. Both predict the next symbol's distribution, so their perplexities compare. The walk's own is known exactly.

    R walks    N symbols of each    V = 25
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaModel

from ..model.u_embedding import build_u_embedding
from ..training.inverse import infer_u
from .runs import to_the_end

_SIDE = 5
_SYMBOLS = _SIDE * _SIDE
_REACH = 2.0  # how far a step goes: larger makes neighbours depend less
MODES = ("autoregressive", "inverse")


@dataclass(frozen=True)
class Walk:
    """first (V,): P(t1); step (V, V): P(t_k | t_{k-1})."""

    first: Tensor
    step: Tensor

    def sample(self, count: int, length: int, generator: torch.Generator) -> Tensor:  # (count, length)
        walks = torch.multinomial(self.first, count, True, generator=generator)[:, None]
        while walks.shape[1] < length:
            following = torch.multinomial(self.step[walks[:, -1]], 1, generator=generator)
            walks = torch.cat([walks, following], dim=1)
        return walks

    def perplexity(self, length: int) -> float:
        """Of the walk under itself: what no model can beat."""
        place, total = self.first, _entropy(self.first)
        for _ in range(length - 1):
            total = total + place @ torch.stack([_entropy(row) for row in self.step])
            place = place @ self.step
        return math.exp(float(total) / length)

    def independent_perplexity(self, length: int) -> float:
        """Of the best model that predicts every symbol on its own."""
        place, total = self.first, _entropy(self.first)
        for _ in range(length - 1):
            place = place @ self.step
            total = total + _entropy(place)
        return math.exp(float(total) / length)


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.log()).sum()


def make_walk(seed: int = 0) -> Walk:
    generator = torch.Generator().manual_seed(seed)
    axis = torch.arange(_SIDE)
    places = torch.cartesian_prod(axis, axis).double()
    popular = 2 * torch.rand(_SYMBOLS, generator=generator).double()
    return Walk(popular.softmax(-1), (popular - torch.cdist(places, places) / _REACH).softmax(-1))


class SequenceModel(nn.Module):
    """A small Llama over [start, x_1, ..., x_{N-1}], x the symbols or their u's; the only difference is the input."""

    def __init__(self, mode: str, length: int, hidden: int = 64, layers: int = 3) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"Unknown mode {mode!r}; known: {', '.join(MODES)}.")
        self.mode = mode
        self.start = nn.Parameter(torch.randn(hidden) * 0.3)
        self.embed: nn.Module = nn.Embedding(_SYMBOLS, hidden)
        if mode == "inverse":
            self.embed = build_u_embedding("fourier", hidden, hidden=128)
        self.body = LlamaModel(
            LlamaConfig(
                vocab_size=1, hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers,
                num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=length + 1, bos_token_id=None,
                eos_token_id=None,
            )
        )  # fmt: skip
        self.head = nn.Linear(hidden, _SYMBOLS)

    def inputs(self, x: Tensor) -> Tensor:
        return self.embed(x) if self.mode == "autoregressive" else self.embed(x, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """x (R, N - 1): symbols or u's -> logits (R, N, V)."""
        embedded = torch.cat([self.start.expand(len(x), 1, -1), self.inputs(x)], dim=1)
        return self.head(self.body(inputs_embeds=embedded, use_cache=False).last_hidden_state)

    def read(self, walks: Tensor, generator: torch.Generator) -> Tensor:
        """What this model reads of walks (R, N): their symbols, or the u's that it needs to say them."""
        if self.mode == "autoregressive":
            return walks[:, :-1]
        cache = DynamicCache()

        def predict(u: Tensor) -> Tensor:
            new = self.inputs(u[:, -1:]) if u.shape[1] else self.start.expand(len(walks), 1, -1)
            hidden = self.body(inputs_embeds=new, past_key_values=cache, use_cache=True).last_hidden_state
            return self.head(hidden[:, -1])

        return infer_u(predict, walks, "token_id", generator)[:, :-1]

    @torch.no_grad()
    def perplexity(self, walks: Tensor, generator: torch.Generator) -> float:
        logits = self(self.read(walks, generator))
        return math.exp(float(F.cross_entropy(logits.flatten(0, 1), walks.flatten())))


@dataclass(frozen=True)
class SequenceConfig:
    """How a sequence model is trained: walks of `length` symbols, `batch` of them a step."""

    mode: str = "inverse"
    length: int = 3
    steps: int = 1500
    batch: int = 256
    learning_rate: float = 3e-3
    measure_every: int = 250
    seed: int = 0


@dataclass(frozen=True)
class SequenceStep:
    """One measurement on held-out walks."""

    mode: str
    step: int
    perplexity: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_sequence(config: SequenceConfig, walk: Walk | None = None) -> Iterator[SequenceStep]:
    """Trains one model and yields its perplexity on 8,000 held-out walks every so many steps."""
    walk = walk or make_walk()
    torch.manual_seed(config.seed)
    model = SequenceModel(config.mode, config.length)
    generator = torch.Generator().manual_seed(config.seed)
    held_out = walk.sample(8000, config.length, torch.Generator().manual_seed(config.seed + 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    began = time.monotonic()
    for step in range(1, config.steps + 1):
        share = 0.02 + 0.49 * (1 + math.cos(math.pi * step / config.steps))
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(step / 100, 1.0) * share
        walks = walk.sample(config.batch, config.length, generator)
        logits = model(model.read(walks, generator))
        loss = F.cross_entropy(logits.flatten(0, 1), walks.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % config.measure_every == 0 or step == config.steps:
            found = model.perplexity(held_out, torch.Generator().manual_seed(config.seed + 2))
            yield SequenceStep(config.mode, step, found, time.monotonic() - began)


def train_sequence(
    config: SequenceConfig, callback: Callable[[SequenceStep], None] = lambda step: None
) -> SequenceStep:
    """Runs the training to its end, calls back with each measurement and returns the last."""
    return to_the_end(run_sequence(config), callback)
