"""What follows the network in a call, on the device: Pick, verification, the branch that came true, its drafts.

All of it comes back in one piece. The host repeats only what is quick for it, and makes the records.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..coupling import coupling_of
from ..coupling.base import Drawn
from ..coupling.noise_on_device import ClockNoise, NoiseOnDevice
from ..sampling import Candidates, SamplingConfig, candidates_unseen, likeliest
from .call_inputs import CallFields
from .network import Network

_MOST_PACKED = 1024  # candidates of a row that come back with everything else


@dataclass(frozen=True)
class DraftRule:
    """How a run's slots draft. width: most drafts of a branch. The others are those of decoding's Slots."""

    width: int
    chained: bool
    argmax: bool
    sharpness: float
    lead: int
    num_settled: int


@dataclass(frozen=True)
class Decided:
    """A call's results.

    hidden    (R, E) on the device: last states of tokens, then of slots
    logits    (H, V) on the device, float32
    found     the target's candidates of H rows, on the host; on the device where there are very many
    sure      (H,) whether a row's pick is certain; else it has to be made on the host
    columns   (H,) of the picked tokens in `found`, targets (H,) the tokens
    accepted  how many drafts were right, as the device says
    drafts    (token, probability, margin) of the branch for that outcome, `width` of them
    """

    hidden: Tensor
    logits: Tensor
    found: Candidates
    sure: list[bool]
    columns: Tensor
    targets: list[int]
    accepted: int
    drafts: list[tuple[int, float, float]]


@dataclass(frozen=True)
class Packed:
    """The same, still on the device, in one float64 tensor; `found` is there for what is not in it."""

    numbers: Tensor
    found: Candidates
    width: int

    def unpack(self, hidden: Tensor, logits: Tensor) -> Decided:
        """Waits for the device, once."""
        numbers = self.numbers.cpu()
        rows, depth = self.found.tokens.shape
        lists = numbers[: 1 + rows].tolist()
        start = 1 + rows
        columns, targets = (numbers[start + i * rows : start + (i + 1) * rows].long() for i in range(2))
        start += 2 * rows
        token, prob, margin = numbers[start : start + 3 * self.width].view(3, self.width).tolist()
        start += 3 * self.width
        found = self.found
        if depth <= _MOST_PACKED:
            tokens, probs, right = numbers[start:].view(3, rows, depth)
            found = Candidates(tokens.long(), probs.float(), right.float(), found.complete)
        drafts = list(zip(map(int, token), prob, margin, strict=True))
        return Decided(
            hidden, logits, found, [bool(x) for x in lists[1:]], columns, targets.tolist(), int(lists[0]), drafts
        )


class Decision:
    """The formulas of one run: sampling, and how its slots draft (None: its calls have none that are read)."""

    def __init__(self, network: Network, sampling: SamplingConfig, rule: DraftRule | None) -> None:
        self._network, self._sampling, self._rule = network, sampling, rule
        self._coupling = coupling_of(sampling)

    def __call__(self, fields: CallFields, hidden: Tensor, logits: Tensor) -> Packed:
        """hidden (R, E), logits (H, V) of the rows of tokens."""
        rows = torch.arange(len(logits), device=logits.device)
        clocks = ClockNoise(fields.keys.view(-1, 2), fields.edit_positions, fields.edit_tokens, fields.edit_values)
        noise = NoiseOnDevice(fields.u[: len(rows)], fields.first + rows, clocks)
        found, sure = candidates_unseen(logits, self._sampling, full=not self._coupling.shortlist)
        columns = self._coupling.columns(found, noise)
        sure = sure & (columns < found.tokens.shape[1])
        targets = found.tokens.gather(1, columns.clamp(max=found.tokens.shape[1] - 1)[:, None]).squeeze(1)
        accepted = (targets == fields.drafts).long().cumprod(0).sum(0, keepdim=True)  # (1,)
        drawn: Drawn | tuple[()] = ()
        width = self._rule.width if self._rule is not None else 0
        if width:
            drawn = self._drafts(fields, hidden, targets, accepted, clocks)
        parts = [accepted, sure, columns, targets, *drawn]
        if found.tokens.shape[1] <= _MOST_PACKED:
            parts += [found.tokens, found.probs, found.right]
        return Packed(torch.cat([part.double().flatten() for part in parts]), found, width)

    def _drafts(
        self, fields: CallFields, hidden: Tensor, targets: Tensor, accepted: Tensor, clocks: ClockNoise
    ) -> Drawn:
        """The drafts (W,) of the branch for this outcome; behind its last slot they mean nothing."""
        rule, network = self._rule, self._network
        assert rule is not None
        slots = hidden[len(targets) :]
        ahead = torch.arange(rule.width, device=hidden.device)
        start = fields.branch_start.index_select(0, accepted) + rule.num_settled
        own = slots.index_select(0, (start + ahead).clamp(0, len(slots) - 1))  # (W, E)
        place = accepted + rule.lead + rule.num_settled + ahead  # (W,) of the drafts, from the call's first target on
        u = fields.u.index_select(0, place)
        if not rule.chained:
            return self._read(network.logits(own), NoiseOnDevice(u, fields.first + place, clocks))
        assert network.chain is not None
        settling = hidden.index_select(0, accepted)
        front = torch.cat([fields.tokens.index_select(0, accepted), targets.index_select(0, accepted)])  # (2,)
        drawn = []
        for depth in range(rule.width):
            state = network.chain(own[depth : depth + 1], network.embed(front[None]), settling)
            noise = NoiseOnDevice(u[depth : depth + 1], fields.first + place[depth : depth + 1], clocks)
            drawn.append(self._read(network.logits(state), noise))
            front = torch.cat([front[1:], drawn[-1][0]])
        token, prob, margin = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        return token, prob, margin

    def _read(self, logits: Tensor, noise: NoiseOnDevice) -> Drawn:
        """As decoding's read_slots, without the host."""
        assert self._rule is not None
        if self._rule.argmax or self._sampling.temperature == 0:
            token, prob = likeliest(logits)
            return token, prob, torch.ones_like(prob)
        found = self._coupling.runners(logits, self._sampling.order, self._rule.sharpness)
        return self._coupling.drawn(found, noise)
