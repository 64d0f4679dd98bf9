"""u-slots: what they are told, and the drafts in what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..coupling import Coupling, NoiseAt, coupling_of
from ..coupling.noise_at import Joined, noise_from
from ..model.config import DEFAULT_SHARPNESS, AdapterConfig
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig, likeliest, read_back
from ..trace import Branch, Draft, DraftStatus
from .drafters.branches import branch_probabilities, calibrated

UNTOLD = 0.5  # what a slot that is not told its noise carries


def read_slots(
    logits: Tensor,
    noise: NoiseAt | Joined,
    sampling: SamplingConfig,
    argmax: bool,
    sharpness: float = DEFAULT_SHARPNESS,
    vocabulary: Tensor | None = None,
) -> list[tuple[int, float, float]]:
    """(token, probability, margin) of each row of logits (R, V): the drafts of slots at places with this noise.

    With `argmax`, or at temperature 0, a draft is the likeliest token. Its margin is 1, for no noise decides it.
    Otherwise the noise picks it from the slot's distribution, by the sampling's coupling. vocabulary (V,): the tokens
    that the columns stand for; None where those are all.
    """
    if argmax or sampling.temperature == 0:
        best, prob = read_back(*likeliest(logits))
        tokens = best if vocabulary is None else vocabulary.cpu()[best]
        return list(zip(tokens.tolist(), prob.tolist(), [1.0] * len(best), strict=True))
    return coupling_of(sampling).read(logits, noise, sampling.order, sharpness, vocabulary)


@dataclass(frozen=True)
class ChainStart:
    """What a branch's chained drafts begin with.

    slots       (L, E)
    front       the two tokens before the first draft, the nearest last
    settling    (E,): the target's state that chose the nearest
    noise       of each of the L drafts
    """

    slots: Tensor
    front: tuple[int, int]
    settling: Tensor
    noise: NoiseAt


def read_chains(
    model: PTPModel,
    branches: Sequence[ChainStart],
    sampling: SamplingConfig,
    argmax: bool,
    sharpness: float = DEFAULT_SHARPNESS,
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
        noise = Joined([branches[i].noise.part(depth, depth + 1) for i in going])
        for i, found in zip(going, read_slots(logits, noise, sampling, argmax, sharpness), strict=True):
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

    def kind(self, config: AdapterConfig, coupling: Coupling) -> str:
        """How its drafts are made, as AdapterConfig.figures calls it.

        told: the slot reads u. race: the slot is not told, and its odds run the race. argmax and pick: it ignores the
        noise, or its odds meet u.
        """
        if coupling.one_number:
            return "told" if config.reads_u and self.sees_u else self.draft_rule
        return "argmax" if not self.sees_u and self.draft_rule == "argmax" else "race"


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
        coupling = coupling_of(sampling)
        self._model, self._noise, self._sampling, self._coupling = model, noise, sampling, coupling
        self.tells_u = rule.sees_u and coupling.one_number
        self.lead, self.shift, self.num_settled = config.lead, config.position_shift, config.num_settled
        self.chained = model.chain is not None and rule.chained
        by = rule.kind(config, coupling)
        self.argmax = (by == "told" and config.variant == "o-ptp") or by == "argmax"
        figures = config.figures(self.chained, by)
        self.sharpness = figures.sharpness
        # figures of an adapter that reads u say nothing about drafts without it
        fits = rule.calibrated and (by == "told" or by == "race" or not config.reads_u)
        self._weights = figures.confidence if fits else None

    def embed(self, spec: Sequence[tuple[int, int]], ends: Sequence[int], first: int) -> Tensor:
        """Embeddings (S, E) of the slots of all branches, one behind the other.

        ends[m] is the last token that outcome m leaves settled, `first` the generated position behind the text.
        """
        u: list[float] = []
        firsts, anchors = [], []
        for assumed, length in spec:
            firsts.append(len(u))
            anchors.append(ends[assumed])
            u += self._noise.values(first + assumed, first + assumed + length) if self.tells_u else [UNTOLD] * length
        temperature = self._sampling.temperature
        return self._model.embed_slots(torch.tensor(u), temperature, torch.tensor(firsts), torch.tensor(anchors))

    def kept(self, answer: Answer, branch: int, drawn: Sequence[tuple[int, float, float]] | None = None) -> list[Draft]:
        """The drafts of the branch that came true; drawn: what its slots say, where the call has read it already."""
        if drawn is None:
            return self.read(answer, [branch])[0]
        noise = self._noise_of(answer, branch, self.num_settled)
        return self._as_drafts(noise, drawn[: len(noise)])

    def read(self, answer: Answer, branches: Sequence[int]) -> list[list[Draft]]:
        """The drafts of these branches, `pending`, without the slots that only stand for the settled token."""
        starts = [self._slots_of(answer, i, self.num_settled) for i in branches]
        if self.chained:
            outcomes = [answer.spec[i][0] for i in branches]
            chains = [
                ChainStart(slots, (answer.in_front[m], answer.settled[m]), answer.settling[m], noise)
                for m, (slots, noise) in zip(outcomes, starts, strict=True)
            ]
            found = read_chains(self._model, chains, self._sampling, self.argmax, self.sharpness)
        else:
            found = [self._read_rows(slots, noise) if len(noise) else [] for slots, noise in starts]
        return [self._as_drafts(noise, drawn) for (_, noise), drawn in zip(starts, found, strict=True)]

    def _read_rows(self, slots: Tensor, noise: NoiseAt | Joined) -> list[tuple[int, float, float]]:
        return read_slots(slots, noise, self._sampling, self.argmax, self.sharpness)

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
        rows, noise = torch.cat([slots for slots, _ in starts]), Joined([mine for _, mine in starts])
        drawn = self._read_rows(self._model.logits(rows) if self.chained else rows, noise)
        return [
            draft
            for i, (_, mine) in enumerate(starts)
            for draft in [self._as_drafts(mine, drawn[i * self.num_settled : (i + 1) * self.num_settled])]
        ]

    def _slots_of(self, answer: Answer, branch: int, start: int, end: int | None = None) -> tuple[Tensor, NoiseAt]:
        """Slots start..end of a branch, and the noise of the tokens that they predict."""
        rows = answer.branch_rows[branch][start:end]
        return answer.slots[rows.start : rows.stop], self._noise_of(answer, branch, start, end)

    def _noise_of(self, answer: Answer, branch: int, start: int, end: int | None = None) -> NoiseAt:
        first = answer.first + answer.spec[branch][0] + self.lead + start
        return noise_from(self._noise, first, len(answer.branch_rows[branch][start:end]))

    def _as_drafts(self, noise: NoiseAt, drawn: Sequence[tuple[int, float, float]]) -> list[Draft]:
        label, number = self._model.label, self._coupling.number
        return [
            Draft(
                token, label(token), number(noise.tape, position, token), calibrated(prob, margin, self._weights),
                margin, "pending",
            )
            for position, (token, prob, margin) in zip(noise.positions, drawn, strict=True)
        ]  # fmt: skip
