"""The Gumbel race of clocks: each token has a number of its own at each position.

    R positions    K candidates of each

Token j has the number U_j. Its clock rings at E_j / p_j with E_j = -log U_j. The first to ring is the token:
t = argmin_j E_j / p_j = argmax_j (log p_j - log(-log U_j)). So token j wins with probability p_j.

A draft that plays the same race with its own odds often finds the same winner. That share of the noise is at least
(1 - TV) / (1 + TV). TV is the total variation between the two sets of odds. No rule without knowledge of the draft can
keep more in general (Daliri, Musco, Suresh, "Coupling without communication and drafter-invariant speculative
decoding", 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..noise import NoiseTape
from ..sampling import Candidates
from .base import Coupling, Drawn, Noise, Stay, couples
from .noise_at import NoiseAt

MOST_RUNNERS = 64  # of a draft's tokens: the likeliest; the others hardly ever win


def arrivals(probs: Tensor, clocks: Tensor, sharpness: float = 1.0) -> Tensor:
    """When each candidate's clock rings, (R, K): -log U_j / p_j ** sharpness, and never where p_j is 0.

    sharpness above 1 is for drafts: a draft that is unsure of its odds does better with sharper ones.
    """
    return -clocks.log() / (probs if sharpness == 1 else probs.pow(sharpness))  # inf where p is 0


@dataclass(frozen=True)
class Finish:
    """How the race at R positions ended: the column of the winner, its time, and the time of the second.

    columns (R,) int64; first and second (R,) float32; second is inf where there is one candidate only.
    """

    columns: Tensor
    first: Tensor
    second: Tensor

    @property
    def lead(self) -> Tensor:  # (R,) in (0, 1]
        """How clear each win was: 1 - first / second. Near 0 the second nearly won; 1 without a second."""
        return 1 - self.first / self.second


def race(found: Candidates, clocks: Tensor, sharpness: float = 1.0) -> Finish:
    """The race between the candidates of each position; clocks (R, K) belong to found.tokens."""
    times = arrivals(found.probs, clocks, sharpness)
    best, columns = times.min(-1)
    if times.shape[-1] == 1:
        return Finish(columns, best, torch.full_like(best, torch.inf))
    return Finish(columns, best, times.topk(2, largest=False).values[:, 1])


def winning_clocks(times: Tensor, probs: Tensor) -> Tensor:
    """The number above which each token would win, all other clocks as they are: (K,) from one race's times (K,).

    Token j wins as soon as its arrival -log U / p_j comes before the first of the others. 0: nobody else runs. 1: it
    has no probability.
    """
    first = times.double().topk(min(2, len(times)), largest=False)
    best = torch.full_like(times, float(first.values[0]), dtype=torch.float64)  # the first of the others
    best[first.indices[0]] = float(first.values[1]) if len(times) > 1 else torch.inf
    return torch.where(probs > 0, torch.exp(-best * probs.double()), 1.0)


@couples
class Gumbel(Coupling):
    """A race between the tokens, each with a clock of its own."""

    name, one_number, shortlist = "gumbel", False, False

    def clocks(self, found: Candidates, noise: Noise) -> Tensor:
        return noise.clocks(found.tokens)

    def columns(self, found: Candidates, noise: Noise, clocks: Tensor | None = None) -> Tensor:
        known = self.clocks(found, noise) if clocks is None else clocks
        return arrivals(found.probs, known).argmin(-1)

    def stay(
        self, found: Candidates, column: int, noise: NoiseTape, position: int, clocks: Tensor | None = None
    ) -> Stay:
        own = self.clocks(found, NoiseAt(noise, [position])) if clocks is None else clocks
        numbers, probs = own[0].double(), found.probs[0].double()
        lefts = winning_clocks(arrivals(probs, numbers), probs)
        number = float(numbers[column])
        left = min(float(lefts[column]), number)  # rounding must not take the winner's win away
        rises = torch.where(probs > 0, lefts - numbers, torch.inf)  # by how much each loser's clock would have to rise
        rises[column] = torch.inf
        rise = float(rises.min())
        margin = None if rise == float("inf") else min(number - left, max(0.0, rise))
        lefts[column] = left
        return Stay(number, left, 1.0, margin, lefts, torch.ones_like(lefts), numbers)

    def runners(self, logits: Tensor, order: str, sharpness: float) -> Candidates:
        """The likeliest tokens, with the sharper odds; they have no bins."""
        top = logits.float().topk(min(MOST_RUNNERS, logits.shape[-1]), dim=-1)
        probs = (top.values * sharpness).softmax(-1)
        return Candidates(top.indices, probs, probs)

    def drawn(self, found: Candidates, noise: Noise) -> Drawn:
        """The margin is how clear the win was: 1 - first arrival / second. The probability is of the sharper odds."""
        finish = race(found, noise.clocks(found.tokens))
        won = finish.columns[:, None]
        return found.tokens.gather(1, won).squeeze(1), found.probs.gather(1, won).squeeze(1), finish.lead

    def answers(
        self, found: Candidates, noise: NoiseTape, position: int, token: int, most: int
    ) -> list[tuple[int, float, float, float]]:
        """Up to two stretches of the token's own clock: another token wins, then this one does."""
        clocks = NoiseAt(noise, [position]).clocks(found.tokens)[0].double()
        probs, tokens = found.probs[0], found.tokens[0]
        times = arrivals(probs.double(), clocks)
        own = tokens == token
        if not bool((own & (probs > 0)).any()):  # the token does not run here: its clock changes nothing
            return [(int(tokens[times.argmin()]), 1.0, 0.0, 1.0)]
        edge = float(winning_clocks(times, probs)[own][0])
        if edge <= 0:
            return [(token, 1.0, 0.0, 1.0)]
        other = int(tokens[torch.where(own, torch.inf, times).argmin()])
        return [(other, edge, 0.0, edge), (token, 1 - edge, edge, 1.0)]

    def moved(self, noise: NoiseTape, position: int, token: int, value: float) -> NoiseTape:
        return noise.with_clock(position, token, value)

    def number(self, noise: NoiseTape, position: int, token: int) -> float:
        return float(noise.clocks(position, token))

    def same(self, a: NoiseTape, b: NoiseTape, position: int) -> bool:
        edits = [{t: v for (i, t), v in tape.clock_edits.items() if i == position} for tape in (a, b)]
        if a.seed != b.seed:
            return False
        return all(a.clocks(position, t) == b.clocks(position, t) for t in edits[0].keys() | edits[1].keys())
