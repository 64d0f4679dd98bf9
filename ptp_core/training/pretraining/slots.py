"""Distillation for the slots of a small target: low-rank deltas and embeddings, on tokens that the target samples.

Contexts are pieces of the training texts. From every window's start the target goes on by itself, with the u that the
slots are told. So u is even, every slot has a target, and no token is seen twice. Letters as in network.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...model.chain_head import ChainHead
from ...model.u_embedding import build_u_embedding
from ...storage.adapter_files import load_adapter
from ..losses import DIRECT_SHARE
from .drawn import Drawn, draw
from .network import PLACES, SmallLlama
from .processes import Crew, Log, Pace, load_state, run_crew, save_state, set_rates
from .sequences import Sequences, held_out_sequences
from .slot_figures import measure_slots
from .slot_kinds import slot_kind
from .states import JOINED, load_network, round_to_eight_bits


@dataclass(frozen=True)
class SlotConfig:
    """Settings of a run that trains slots.

    target      folder of a pretraining run, or of a saved target
    data, out   as PretrainConfig's
    kinds       slots that are trained, side by side on the same tokens (slot_kinds.SLOT_KINDS)
    init        folder of a u-blind adapter of this rank and chain from which all kinds start; fresh deltas without one
    rank        of the deltas
    chain       width of the chain head, 0 for none
    windows     of `slots` slots in every sequence of `length` tokens
    decay       slot j counts decay^j
    rate        learning rate (AdamW); in the last `cooling` share of the minutes it falls to zero
    steps       to end after; 0: the minutes alone count
    processes   that share every step; each takes one core
    """

    target: str = ""
    data: str = ""
    out: str = ""
    kinds: tuple[str, ...] = ("o-ptp-id", "u-blind-token")
    init: str = ""
    rank: int = 64
    chain: int = 256
    batch: int = 8
    length: int = 256
    windows: int = 32
    slots: int = 8
    decay: float = 0.85
    rate: float = 2e-3
    warmup: int = 50
    minutes: float = 40.0
    steps: int = 0
    cooling: float = 0.5
    evaluate_every: int = 100
    seed: int = 0
    processes: int = 1


class Slots(nn.Module):
    """What one kind of slots has of its own: an embedding, low-rank deltas (A (r, in), B (out, r)), a chain head."""

    def __init__(self, net: SmallLlama, kind: str, rank: int, chain: int = 0) -> None:
        super().__init__()
        self.kind = slot_kind(kind)
        source = net.told if self.kind.told else net.blind
        name, start = ("fourier" if self.kind.told else "blank"), self.kind.start_slot
        self.embedding = build_u_embedding(name, net.shape.hidden, start, **source.options)
        self.embedding.load_state_dict(source.state_dict(), strict=not start)
        self.chain = ChainHead(net.shape.hidden, chain) if chain else None
        self.deltas: Any = nn.ModuleList()
        for layer in net.layers:
            pairs = nn.ParameterDict()
            for name, parts in JOINED.items():
                rows, columns = getattr(layer, name).shape
                for part in parts:
                    pairs[f"{part}_a"] = nn.Parameter(torch.randn(rank, columns) * columns**-0.5)
                    pairs[f"{part}_b"] = nn.Parameter(torch.zeros(rows // len(parts), rank))
            self.deltas.append(pairs)

    def start_from(self, folder: Path) -> None:
        """The deltas and the chain head of a saved u-blind adapter. No slot hears of u yet: each is that adapter's.

        ValueError if the adapter is of another kind or size.
        """
        found = load_adapter(folder)
        if found.config.reads_u or found.config.lora.rank != found.config.lora.alpha:
            raise ValueError(f"{folder} is no u-blind adapter with deltas of its rank's own scale.")
        weights: dict[str, Tensor] = {}
        for i in range(len(self.deltas)):
            for part, place in PLACES.items():
                pair = found.lora[f"model.layers.{i}.{place}"]
                weights |= {f"deltas.{i}.{part}_{side}": value for side, value in zip("ab", pair, strict=True)}
        weights |= {f"chain.{name}": value for name, value in found.chain.items()}
        vector = found.u_embed["vector"]
        if self.kind.told:
            last = self.embedding.state_dict()["net.2.weight"]
            weights |= {"embedding.net.2.weight": torch.zeros_like(last), "embedding.net.2.bias": vector}
            weights |= {"embedding.start": vector} if self.kind.start_slot else {}
        else:
            weights["embedding.vector"] = vector
        try:
            missing = self.load_state_dict(weights, strict=False)
        except RuntimeError as error:
            raise ValueError(f"{folder} does not fit these slots: {error}") from None
        if missing.unexpected_keys or any(not key.startswith("embedding.") for key in missing.missing_keys):
            raise ValueError(f"{folder} does not fit these slots.")

    def layers(self, net: SmallLlama) -> list[Any]:
        """The target's layers with the deltas added, as SmallLlama.slots takes them."""
        found = []
        for layer, pairs in zip(net.layers, self.deltas, strict=True):
            whole = {
                name: getattr(layer, name) + torch.cat([pairs[f"{part}_b"] @ pairs[f"{part}_a"] for part in parts])
                for name, parts in JOINED.items()
            }
            found.append(SimpleNamespace(**whole, norm_in=layer.norm_in, norm_mlp=layer.norm_mlp))
        return found

    def logits(self, net: SmallLlama, drawn: Drawn) -> tuple[Tensor, Tensor | None]:
        """(B, N, L, V) of all windows' slots; and with a chain head (B, N, L - 1, V) of all but the first.

        Those are told the two tokens before their own.
        """
        hidden = net.slots(self.kind.rows(self.embedding, drawn), drawn.starts, drawn.context, self.layers(net))
        if self.chain is None:
            return net.logits(hidden), None
        behind = hidden[:, :, 1:]
        told = torch.cat([drawn.last[..., None], drawn.tokens], -1)  # (B, N, L + 1)
        before = net.embed[torch.stack([told[..., :-2], told[..., 1:-1]], -1)]  # (B, N, L - 1, 2, E)
        settling = drawn.settling[:, :, None].expand_as(behind)
        chained = self.chain(*(part.flatten(0, 2) for part in (behind, before, settling)))
        return net.logits(hidden), net.logits(chained.to(hidden.dtype)).view(*behind.shape[:3], -1)

    def loss(self, net: SmallLlama, drawn: Drawn, decay: float) -> Tensor:
        """The slots' loss; with a chain head DIRECT_SHARE of it, and the chained slots'."""
        plain, chained = self.logits(net, drawn)
        direct = _weighted(self.kind.each(plain, drawn), decay)
        if chained is None:
            return direct
        return DIRECT_SHARE * direct + _weighted(self.kind.each(chained, drawn, 1), decay)

    def hits(self, net: SmallLlama, drawn: Drawn) -> tuple[Tensor, Tensor, Tensor]:
        """Whether each slot (B, N, L) is right, without the chain head and with it; the first has no use for it.

        The last are those with it by the other rule: argmax of c-ptp slots, Pick of slots without u.
        """
        plain, chained = self.logits(net, drawn)
        alone = self.kind.drafts(plain, drawn) == drawn.tokens
        if chained is None:
            return alone, alone, self.kind.drafts(plain, drawn, argmax=self.kind.start_slot) == drawn.tokens
        rest = [
            torch.cat([alone[..., :1], self.kind.drafts(chained, drawn, 1, rule) == drawn.tokens[..., 1:]], -1)
            for rule in (None, self.kind.start_slot)
        ]
        return alone, rest[0], rest[1]


def _weighted(each: Tensor, decay: float) -> Tensor:
    """The mean of the slots' losses (B, N, L), slot j weighted by decay^j."""
    weights = decay ** torch.arange(each.shape[-1])
    return (each.mean((0, 1)) * weights).sum() / weights.sum()


def train_slots(config: SlotConfig) -> Path:
    """Trains until the minutes are over, and returns the run's folder. A run that was ended goes on where it was.

    FileNotFoundError if target or data is missing, ValueError for an unknown kind.
    """
    for kind in config.kinds:
        slot_kind(kind)
    Path(config.out).mkdir(parents=True, exist_ok=True)
    run_crew(_run, config, config.processes)
    return Path(config.out)


def _run(crew: Crew, config: SlotConfig) -> None:
    torch.manual_seed(config.seed)
    net = round_to_eight_bits(load_network(Path(config.target)))
    kinds: Any = nn.ModuleDict({kind: Slots(net, kind, config.rank, config.chain) for kind in config.kinds})
    for slots in kinds.values() if config.init else ():
        slots.start_from(Path(config.init))
    optimizer = torch.optim.AdamW(kinds.parameters(), lr=config.rate, betas=(0.9, 0.98), weight_decay=0.0)
    data, out = Path(config.data), Path(config.out)
    pace = Pace(crew, config, *load_state(out, kinds, [optimizer]))
    batches = Sequences(np.load(data / "train.npy", mmap_mode="r"), config.batch, config.length, config.seed + 77)
    held_out = held_out_sequences(np.load(data / "held_out.npy", mmap_mode="r"), config.length)[:, :-1]
    generator, log = torch.Generator().manual_seed(1000 * config.seed + 500 + crew.rank), Log(out)

    def evaluate() -> None:
        if crew.rank == 0:
            targets = pace.step * config.batch * config.windows * config.slots * crew.size
            found = measure_slots(net, kinds, held_out, config.slots)
            log.write({"step": pace.step, "targets": targets, "seconds": round(pace.seconds), **found})
            save_state(out, kinds, [optimizer], pace.step, pace.seconds, asdict(config))
        pace.resume()

    if config.init and not pace.step:
        evaluate()  # where all kinds start
    while pace.done < 1:
        set_rates(optimizer, config.rate * pace.rate)
        drawn = draw(net, batches.at(pace.step, crew)[:, :-1], config.windows, config.slots, generator)
        for kind, slots in kinds.items():
            loss = slots.loss(net, drawn, config.decay)
            loss.backward()
            log.add(kind, float(loss.detach()))
        crew.average(kinds)
        nn.utils.clip_grad_norm_(kinds.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if pace.tick():
            evaluate()


def read_log(run: Path) -> Sequence[dict[str, Any]]:
    """The run's rows, one for each evaluation."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
