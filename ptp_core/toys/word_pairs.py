"""A world small enough to know: what PTP can represent and independent prediction cannot.

    python -m ptp_core toy

A text is two words. The first rules out most second words, as "import" does with "run". The target is a tiny Llama
that knows the world exactly. An adapter of each variant is trained on it, with the project's own model, slots and
losses. Then the joint distribution of its drafts is measured on a grid of (u1, u2).

    A first words    B second words    G grid points per axis
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from ..model import attention
from ..model.config import AdapterConfig, LoraConfig
from ..model.layout import call_layout
from ..model.parts import new_adapter
from ..model.ptp_model import PTPModel
from ..sampling import pick
from ..training.evaluate import draft_tokens
from ..training.inverse import infer_u
from ..training.losses import divergence
from .runs import to_the_end

FIRST = ("def", "import", "class", "return", "for", "with")
SECOND = ("run", "main", "numpy", "torch", "Model", "Error", "None", "True", "line", "open")
_CONTEXT = 0  # the token that every text begins behind; the words follow
_VOCABULARY = 1 + len(FIRST) + len(SECOND)
_ALLOWED = 2  # second words that a first word admits, beside one that it shares with the next
_GRID = 192


@dataclass(frozen=True)
class World:
    """first (A,) and second (A, B): P(t1) and P(t2 | t1). Pairs of probability 0 are invalid."""

    first: Tensor
    second: Tensor

    @property
    def joint(self) -> Tensor:  # (A, B)
        return self.first[:, None] * self.second


def make_world(seed: int = 0) -> World:
    """A seeded world: every first word admits three of the ten second words; neighbours share one."""
    generator = torch.Generator().manual_seed(seed)
    first = (torch.rand(len(FIRST), generator=generator) + 0.3).double()
    second = torch.zeros(len(FIRST), len(SECOND), dtype=torch.double)
    for a in range(len(FIRST)):
        places = (torch.arange(_ALLOWED + 1) + a * _ALLOWED) % len(SECOND)
        second[a, places] = (torch.rand(len(places), generator=generator) + 0.2).double()
    return World(first / first.sum(), second / second.sum(-1, keepdim=True))


def total_variation(found: Tensor, truth: Tensor) -> float:
    """Half the sum of absolute differences; what found lacks to 1 went to texts that are no pair at all."""
    return float(((found - truth).abs().sum() + (1 - found.sum())) / 2)


def best_independent(world: World) -> Tensor:
    """The joint (A, B) nearest to the world's, in total variation, whose second word ignores the first.

    The first word is right on its own. What is left is min over q of sum_a P(a) |P(b|a) - q(b)|, which is convex and
    piecewise linear in each q(b). So mass 1 goes where it lowers the sum most, steepest piece first.
    """
    pieces = []
    for b in range(world.second.shape[1]):
        levels, order = world.second[:, b].sort()
        below, slope = 0.0, -1.0  # raising q(b) from 0 lowers every term; past P(b|a) it raises a's
        for level, weight in zip(levels.tolist(), world.first[order].tolist(), strict=True):
            if level > below:
                pieces.append((slope, b, level - below))
                below = level
            slope += 2 * weight
        pieces.append((slope, b, 1.0 - below))
    q, left = torch.zeros(world.second.shape[1], dtype=torch.double), 1.0
    for _, b, length in sorted(pieces):  # slopes rise with q(b), so pieces of one b come in their order
        taken = min(length, left)
        q[b] += taken
        left -= taken
    return world.first[:, None] * q[None]


def invalid_share(found: Tensor, world: World) -> float:
    """Probability of what the world rules out."""
    return float(1 - found[world.joint > 0].sum())


@dataclass(frozen=True)
class ToyStep:
    """One measurement: the drafts' joint distribution against the world's. loss is the mean since the last."""

    variant: str
    step: int
    loss: float
    total_variation: float
    invalid: float
    joint: list[list[float]]
    square: list[list[int]] | None = None  # (side, side): the pair drafted at (u1, u2), first * B + second; -1: no pair

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ToyConfig:
    """How a toy adapter is trained. steps of `batch` texts each; measured every `measure_every` steps.

    variant is one of VARIANTS. square: side of the (u1, u2) square that is kept with each measurement, 0 for none.
    """

    variant: str = "o-ptp"
    order: str = "token_id"
    steps: int = 800
    batch: int = 512
    learning_rate: float = 3e-3
    measure_every: int = 100
    seed: int = 0
    square: int = 0


def make_target(world: World, seed: int = 0) -> LlamaForCausalLM:
    """A two-layer Llama that knows the world: trained on its exact distributions until they agree."""
    torch.manual_seed(seed)
    target = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=_VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=16, tie_word_embeddings=False, bos_token_id=None,
            eos_token_id=None,
        )
    )  # fmt: skip
    target.set_attn_implementation(attention.NAME)
    model = PTPModel(target, tokenizer=None)
    target.requires_grad_(True)
    optimizer = torch.optim.Adam(target.parameters(), lr=3e-3)
    texts = torch.tensor([[_CONTEXT, 1 + a] for a in range(len(FIRST))])
    wanted = torch.stack([torch.stack(_rows(world, a)) for a in range(len(FIRST))]).float()  # (A, 2, V)
    layout = call_layout(0, 2, 0)
    for step in range(300):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 300)
        logits = target.lm_head(model(texts, positions=layout.positions, mask=layout.mask))
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return target.eval()


def _rows(world: World, first: int) -> tuple[Tensor, Tensor]:
    """P(t1) and P(t2 | first) over the whole vocabulary."""
    before, after = torch.zeros(2, _VOCABULARY, dtype=torch.double)
    before[1 : 1 + len(FIRST)] = world.first
    after[1 + len(FIRST) :] = world.second[first]
    return before, after


def run_toy(config: ToyConfig, world: World | None = None) -> Iterator[ToyStep]:
    """Trains an adapter on the world and yields a measurement every so many steps."""
    world = world or make_world()
    model = make_toy_model(config, world)
    loss_of = VARIANTS[config.variant].loss
    parameters = model.train_adapter()
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    generator = torch.Generator().manual_seed(config.seed)
    losses: list[float] = []
    for step in range(1, config.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, step / 100, 1.02 - step / config.steps)
        loss = loss_of(model, world, torch.rand(config.batch, 2, generator=generator), generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        if step % config.measure_every == 0 or step == config.steps:
            found = drafted_joint(model, world)
            yield ToyStep(
                config.variant, step, sum(losses) / len(losses), total_variation(found, world.joint),
                invalid_share(found, world), found.tolist(), drafted_square(model, world, config.square),
            )  # fmt: skip
            losses.clear()


def train_toy(config: ToyConfig, callback: Callable[[ToyStep], None] = lambda step: None) -> ToyStep:
    """Runs the training to its end, calls back with each measurement and returns the last."""
    return to_the_end(run_toy(config), callback)


def make_toy_model(config: ToyConfig, world: World) -> PTPModel:
    """The world's target with a fresh adapter of config.variant; ValueError for a variant that is not in VARIANTS."""
    if config.variant not in VARIANTS:
        raise ValueError(f"A toy variant is one of {', '.join(VARIANTS)}, got {config.variant!r}.")
    variant = VARIANTS[config.variant]
    target = make_target(world, config.seed)
    settings = AdapterConfig(
        variant=variant.adapter, start_slot=variant.start_slot, window=2, order=config.order,
        u_embedding={"kind": "blank" if variant.adapter == "independent" else "fourier"}, lora=LoraConfig(32, 32.0),
    )  # fmt: skip
    return PTPModel(target, None, new_adapter(target, settings), name="toy")


def _draft_logits(model: PTPModel, u: Tensor) -> Tensor:
    """Logits (R, S, V) of the slots behind the context, from u (R, 2): both words', or the second one's alone."""
    config = model.require_adapter()
    slots = 2 - config.lead
    layout = call_layout(0, 1, 0, [(0, slots)], config.lead, config.position_shift)
    carried = u[:, :slots].flatten()
    firsts = torch.arange(0, len(carried), slots)
    anchors = torch.full((len(u),), _CONTEXT)
    embedded = model.embed_slots(carried, 1.0, firsts, anchors).view(len(u), slots, -1)
    hidden = model(anchors[:, None], embedded, positions=layout.positions, mask=layout.mask)
    return model.target.lm_head(hidden[:, 1:])


def _words_loss(model: PTPModel, world: World, u: Tensor, generator: torch.Generator) -> Tensor:
    """Cross-entropy with the words that u (R, 2) picks."""
    first, second = _picked(world, u, model.require_adapter().order)
    return F.cross_entropy(_draft_logits(model, u).flatten(0, 1), _as_tokens(first, second).flatten())


def _odds_loss(model: PTPModel, world: World, u: Tensor, generator: torch.Generator) -> Tensor:
    """KL between the world's distribution of the second word and the draft's, which reads u1 or nothing."""
    first = pick(world.first.expand(len(u), -1), u[:, 0], model.require_adapter().order)
    columns = 1 + len(FIRST) + torch.arange(len(SECOND)).expand(len(u), -1)
    wanted = world.second[first].float()
    return divergence(_draft_logits(model, u)[:, 0], columns, wanted, reverse=False).mean()


def _data_loss(model: PTPModel, world: World, u: Tensor, generator: torch.Generator) -> Tensor:
    """Inverse autoregressive training: texts alone, with the u's that would make the draft itself say them."""
    order = model.require_adapter().order
    tokens = _as_tokens(*_picked(world, u, order))

    def predict(so_far: Tensor) -> Tensor:
        k = so_far.shape[1]
        return _draft_logits(model, F.pad(so_far, (0, 2 - k)))[:, k]

    inferred = infer_u(predict, tokens, order, generator)
    return F.cross_entropy(_draft_logits(model, inferred).flatten(0, 1), tokens.flatten())


def _picked(world: World, u: Tensor, order: str) -> tuple[Tensor, Tensor]:
    """The first and second words (R,), (R,) that u (R, 2) picks."""
    first = pick(world.first.expand(len(u), -1), u[:, 0], order)
    return first, pick(world.second[first], u[:, 1], order)


def _as_tokens(first: Tensor, second: Tensor) -> Tensor:  # (R, 2)
    return torch.stack([1 + first, 1 + len(FIRST) + second], dim=1)


@dataclass(frozen=True)
class Variant:
    """How a toy adapter drafts (its kind, whether a start slot drafts the first word too) and what it learns from."""

    adapter: str
    loss: Callable[[PTPModel, World, Tensor, torch.Generator], Tensor]
    start_slot: bool = False


VARIANTS = {
    "o-ptp": Variant("o-ptp", _words_loss),
    "c-ptp": Variant("c-ptp", _odds_loss),
    "independent": Variant("independent", _odds_loss),
    "inverse": Variant("c-ptp", _data_loss, start_slot=True),
}


@torch.no_grad()
def drafted_pairs(model: PTPModel, world: World, grid: int = _GRID) -> Tensor:
    """The pair (G^2,) drafted at each midpoint of a grid over (u1, u2), first * B + second; -1 where it is no pair."""
    config = model.require_adapter()
    axis = (torch.arange(grid) + 0.5) / grid
    u = torch.cartesian_prod(axis, axis)  # (G^2, 2)
    drafts, argmax = [], config.variant == "o-ptp"
    for part in u.split(4096):
        logits = _draft_logits(model, part)
        if config.lead:
            first = 1 + pick(world.first.expand(len(part), -1), part[:, 0], config.order)  # the target's own
        else:
            first = draft_tokens(logits[:, 0], part[:, 0], config.order, argmax)
        drafts.append(torch.stack([first, draft_tokens(logits[:, -1], part[:, 1], config.order, argmax)], 1))
    pairs = torch.cat(drafts) - torch.tensor([1, 1 + len(FIRST)])
    inside = ((pairs >= 0) & (pairs < torch.tensor([len(FIRST), len(SECOND)]))).all(-1)
    return torch.where(inside, pairs @ torch.tensor([len(SECOND), 1]), -1)


def drafted_joint(model: PTPModel, world: World, grid: int = _GRID) -> Tensor:
    """The joint (A, B) of the drafts over uniform u1, u2, on a grid of midpoints."""
    pairs = drafted_pairs(model, world, grid)
    counts = torch.bincount(pairs[pairs >= 0], minlength=len(FIRST) * len(SECOND))
    return counts.view(len(FIRST), -1).double() / len(pairs)


def drafted_square(model: PTPModel, world: World, side: int) -> list[list[int]] | None:
    """drafted_pairs as rows of u1, columns of u2; None where side is 0."""
    return drafted_pairs(model, world, side).view(side, side).tolist() if side else None
