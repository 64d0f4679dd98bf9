"""u-slots: what they are told, and the drafts in what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import Candidates, SamplingConfig, candidates, read_back
from ..trace import Branch, Draft, DraftStatus
from .drafters.branches import branch_probabilities, calibrated


def slot_distribution(logits: Tensor, order: str, full: bool = False) -> Candidates:
    """The distributions that slots' logits (R, V) stand for: as trained, at temperature 1 and unfiltered."""
    return candidates(logits, SamplingConfig(1.0, 0, 1.0, order), full=full)


def read_slots(
    logits: Tensor, u: Sequence[float], sampling: SamplingConfig, argmax: bool
) -> list[tuple[int, float, float]]:
    """(token, probability, margin) of each row of logits (R, V), the drafts of slots with these u's.

    With `argmax`, or at temperature 0, a draft is the likeliest token. Its margin is 1, for it has no bin.
    Otherwise it is Pick(u, the slot's distribution).
    """
    if argmax or sampling.temperature == 0:
        top, best = (logits - logits.logsumexp(-1, keepdim=True)).max(-1)
        best, prob = read_back(best, top.exp())
        return list(zip(best.tolist(), prob.tolist(), [1.0] * len(best), strict=True))
    found = slot_distribution(logits, sampling.order).cpu()
    values = torch.tensor(u)
    columns = found.find(values).clamp(max=found.tokens.shape[1] - 1)[:, None]
    left, right = found.left.gather(1, columns).squeeze(1), found.right.gather(1, columns).squeeze(1)
    margins = torch.minimum(values - left, right - values).clamp(min=0).tolist()
    probs = found.probs.gather(1, columns).squeeze(1).tolist()
    return list(zip(found.tokens.gather(1, columns).squeeze(1).tolist(), probs, margins, strict=True))


@dataclass(frozen=True)
class ChainStart:
    """What a branch's chained drafts begin with.

    slots       (L, E)
    front       the two tokens before the first draft, the nearest last
    settling    (E,): the target's state that chose the nearest
    u           of each of the L drafts
    """

    slots: Tensor
    front: tuple[int, int]
    settling: Tensor
    u: Sequence[float]


def read_chains(
    model: PTPModel, branches: Sequence[ChainStart], sampling: SamplingConfig, argmax: bool
) -> list[list[tuple[int, float, float]]]:
    """As read_slots, for each branch: every draft is told the drafts before it. Branches go on side by side."""
    drawn: list[list[tuple[int, float, float]]] = [[] for _ in branches]
    fronts = [branch.front for branch in branches]
    for depth in range(max((len(branch.slots) for branch in branches), default=0)):
        going = [i for i, branch in enumerate(branches) if depth < len(branch.slots)]
        slots = torch.stack([branches[i].slots[depth] for i in going])
        settling = torch.stack([branches[i].settling for i in going])
        before = torch.tensor([fronts[i] for i in going], device=slots.device)
        logits = model.chain_logits(slots, before, settling)
        for i, found in zip(
            going, read_slots(logits, [branches[i].u[depth] for i in going], sampling, argmax), strict=True
        ):
            drawn[i].append(found)
            fronts[i] = (fronts[i][1], found[0])
    return drawn


@dataclass(frozen=True)
class SlotRule:
    """How the slots of a run draft: whether they see u, with the adapter's chain head, by which rule without u.

    Calibrated slots say what odds are worth by the adapter's figures; others say them as they are.
    """

    sees_u: bool = True
    chained: bool = True
    draft_rule: str = "argmax"
    calibrated: bool = True


@dataclass(frozen=True)
class Answer:
    """What a call says about its branches.

    first        generated position that the call's first target row decides
    spec         (assumed drafts m, number of slots) of each branch
    branch_rows  each branch's rows of `slots`
    slots        (S, ...): logits, or hidden states where drafts are chained
    in_front     for each outcome m: the token before the one that verification settles
    settled      that token, as the target has it
    settling     (g + 1, E): the states that chose it
    """

    first: int
    spec: Sequence[tuple[int, int]]
    branch_rows: Sequence[range]
    slots: Tensor
    in_front: Sequence[int]
    settled: Sequence[int]
    settling: Tensor


class Slots:
    """The slots of one run: their embeddings, and their drafts."""

    def __init__(self, model: PTPModel, noise: NoiseTape, sampling: SamplingConfig, rule: SlotRule) -> None:
        config = model.require_adapter()
        self._model, self._noise, self._sampling, self._sees_u = model, noise, sampling, rule.sees_u
        self.lead, self.shift, self.num_settled = config.lead, config.position_shift, config.num_settled
        self.chained = model.chain is not None and rule.chained
        told = config.reads_u and rule.sees_u
        self._argmax = config.variant == "o-ptp" if told else rule.draft_rule == "argmax"
        # figures of an adapter that reads u say nothing about drafts without it
        fits = rule.calibrated and (rule.sees_u or not config.reads_u)
        self._weights = config.figures(self.chained, rule.draft_rule).confidence if fits else None

    def embed(self, spec: Sequence[tuple[int, int]], ends: Sequence[int], first: int) -> Tensor:
        """Embeddings (S, E) of the slots of all branches, one behind the other.

        ends[m] is the last token that outcome m leaves settled, `first` the generated position behind the text.
        """
        u: list[float] = []
        firsts, anchors = [], []
        for assumed, length in spec:
            firsts.append(len(u))
            anchors.append(ends[assumed])
            u += self._noise.values(first + assumed, first + assumed + length) if self._sees_u else [0.5] * length
        temperature = self._sampling.temperature
        return self._model.embed_slots(torch.tensor(u), temperature, torch.tensor(firsts), torch.tensor(anchors))

    def read(self, answer: Answer, branches: Sequence[int]) -> list[list[Draft]]:
        """The drafts of these branches, `pending`, without the slots that only stand for the settled token."""
        starts = [self._slots_of(answer, i, self.num_settled) for i in branches]
        if self.chained:
            outcomes = [answer.spec[i][0] for i in branches]
            chains = [
                ChainStart(slots, (answer.in_front[m], answer.settled[m]), answer.settling[m], u)
                for m, (slots, u) in zip(outcomes, starts, strict=True)
            ]
            found = read_chains(self._model, chains, self._sampling, self._argmax)
        else:
            found = [read_slots(slots, u, self._sampling, self._argmax) if len(u) else [] for slots, u in starts]
        return [self._as_drafts(u, drawn) for (_, u), drawn in zip(starts, found, strict=True)]

    def records(
        self, answer: Answer, kept: int | None, pending: list[Draft], drafts: Sequence[Draft], details: bool
    ) -> list[Branch]:
        """Records of all branches. Without details only the kept one's drafts are read."""
        probabilities = branch_probabilities([d.prob for d in drafts])
        others = [i for i in range(len(answer.spec)) if i != kept and details]
        rest = dict(zip(others, self.read(answer, others), strict=True))
        guesses = self._read_settled(answer) if details else [[] for _ in answer.spec]
        found = []
        for i, (assumed, length) in enumerate(answer.spec):
            state: DraftStatus = "settled" if i == kept else "unused"
            shown = [replace(d, status=state) for d in guesses[i]]
            shown += pending if i == kept else [replace(d, status="unused") for d in rest.get(i, [])]
            found.append(Branch(assumed, probabilities[assumed], shown, i == kept, length))
        return found

    def _read_settled(self, answer: Answer) -> list[list[Draft]]:
        """For each branch, what its slots guess for the token that verification decides, before they know it."""
        starts = [self._slots_of(answer, i, 0, self.num_settled) for i in range(len(answer.spec))]
        if not starts or not self.num_settled:
            return [[] for _ in starts]
        rows, u = torch.cat([slots for slots, _ in starts]), [value for _, values in starts for value in values]
        drawn = read_slots(self._model.logits(rows) if self.chained else rows, u, self._sampling, self._argmax)
        return [[draft] for draft in self._as_drafts(u, drawn)]

    def _slots_of(
        self, answer: Answer, branch: int, start: int, end: int | None = None
    ) -> tuple[Tensor, Sequence[float]]:
        """Slots start..end of a branch, and the u's of the tokens that they predict."""
        rows = answer.branch_rows[branch][start:end]
        first = answer.first + answer.spec[branch][0] + self.lead + start
        return answer.slots[rows.start : rows.stop], self._noise.values(first, first + len(rows))

    def _as_drafts(self, u: Sequence[float], drawn: Sequence[tuple[int, float, float]]) -> list[Draft]:
        label = self._model.label
        return [
            Draft(token, label(token), value, calibrated(prob, margin, self._weights), margin, "pending")
            for value, (token, prob, margin) in zip(u, drawn, strict=True)
        ]
