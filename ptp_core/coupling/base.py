"""The contract of couplings, and their registry.

A coupling says which token the noise picks from a distribution. Decoders, traces and maps ask it and know no kinds.

    R positions    K candidates of each    V vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..noise import NoiseTape
from ..sampling import Candidates, SamplingConfig
from .noise_at import Joined, NoiseAt
from .noise_on_device import NoiseOnDevice

Read = list[tuple[int, float, float]]  # of each row: (token, probability, margin)
Drawn = tuple[Tensor, Tensor, Tensor]  # the same as tensors (R,) each
Noise = NoiseAt | Joined | NoiseOnDevice


@dataclass(frozen=True)
class Stay:
    """How far the noise of one position may move before another token is picked.

    number       the number that decided: u, or the winner's clock
    left, right  the token stays while its number lies in [left, right)
    margin       the smallest change of any one number that picks another token; None where there is no other
    lefts, rights (K,)  the same interval for each candidate: of its own number, all others as they are
    clocks       (K,) each candidate's own number; None where one number serves all
    """

    number: float
    left: float
    right: float
    margin: float | None
    lefts: Tensor
    rights: Tensor
    clocks: Tensor | None


class Coupling:
    """One map from noise to tokens.

    name         as SamplingConfig.coupling calls it
    one_number   whether one number decides a position, so that slots can be told it
    shortlist    whether a shortlist of the likeliest tokens can suffice to find the token
    """

    name: ClassVar[str]
    one_number: ClassVar[bool]
    shortlist: ClassVar[bool]

    def clocks(self, found: Candidates, noise: Noise) -> Tensor | None:
        """Each candidate's own number (R, K); None where one number serves all."""
        return None

    def columns(self, found: Candidates, noise: Noise, clocks: Tensor | None = None) -> Tensor:
        """The column (R,) of the token that the noise picks at each position, K where a shortlist misses it.

        clocks are those of `found`, if they are known already.
        """
        raise NotImplementedError

    def stay(
        self, found: Candidates, column: int, noise: NoiseTape, position: int, clocks: Tensor | None = None
    ) -> Stay:
        """How far the noise of a position may move; `found` has one row, `column` is its token's."""
        raise NotImplementedError

    def runners(self, logits: Tensor, order: str, sharpness: float) -> Candidates:
        """The tokens from which a draft is picked, of slots' logits (R, V), without a look at the values.

        sharpness: the exponent of the odds that suits drafts (a coupling may have no use for it).
        """
        raise NotImplementedError

    def drawn(self, found: Candidates, noise: Noise) -> Drawn:
        """What the noise picks from slots' runners."""
        raise NotImplementedError

    def read(
        self, logits: Tensor, noise: NoiseAt | Joined, order: str, sharpness: float, vocabulary: Tensor | None
    ) -> Read:
        """What the noise picks from slots' logits (R, V), and how sure that is, as numbers of the host.

        vocabulary (V,): the tokens that the columns stand for; None where those are all.
        """
        found = self.runners(logits, order, sharpness).cpu()
        if vocabulary is not None:
            found = Candidates(vocabulary.cpu()[found.tokens], found.probs, found.right, found.complete)
        tokens, probs, margins = self.drawn(found, noise)
        return list(zip(tokens.tolist(), probs.tolist(), margins.tolist(), strict=True))

    def answers(
        self, found: Candidates, noise: NoiseTape, position: int, token: int, most: int
    ) -> list[tuple[int, float, float, float]]:
        """What a position's number picks as it runs over [0, 1): (token, length, left, right) in order.

        Where each token has a number, it is that of `token`. At most `most` stretches are listed. `found` has one row.
        """
        raise NotImplementedError

    def moved(self, noise: NoiseTape, position: int, token: int, value: float) -> NoiseTape:
        """The tape with that number set to `value`."""
        raise NotImplementedError

    def number(self, noise: NoiseTape, position: int, token: int) -> float:
        """The number at a position that `token` is picked by."""
        raise NotImplementedError

    def same(self, a: NoiseTape, b: NoiseTape, position: int) -> bool:
        """Whether two tapes pick alike at a position, whatever the distribution."""
        raise NotImplementedError


_COUPLINGS: dict[str, Coupling] = {}


def couples(kind: type[Coupling]) -> type[Coupling]:
    """Registers a class as the coupling of its name."""
    _COUPLINGS[kind.name] = kind()
    return kind


def coupling_of(sampling: SamplingConfig) -> Coupling:
    """The coupling that this sampling names."""
    return _COUPLINGS[sampling.coupling]
