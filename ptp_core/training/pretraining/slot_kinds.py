"""The kinds of slots of a small target: what they are told, what they learn, and how their drafts are read.

B sequences    N windows per sequence    L slots per window    V vocabulary    K candidates of the target
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...model.config import C_PTP, O_PTP, U_BLIND
from ...model.u_embedding import UEmbedding
from ...sampling import pick
from ..losses import default_loss, divergence
from .drawn import Drawn


@dataclass(frozen=True)
class SlotKind:
    """One kind of slots.

    variant   as AdapterConfig.variant; c-ptp has a start slot, so all kinds predict the same tokens
    order     of the bins from which u comes
    loss      cross_entropy with the picked token, or kl to the target's distribution
    ending    of the names of adapters
    label     what tables and charts call it
    """

    variant: str
    order: str
    loss: str
    ending: str
    label: str

    @property
    def told(self) -> bool:
        return self.variant != U_BLIND

    @property
    def start_slot(self) -> bool:
        return self.variant == C_PTP

    def rows(self, embedding: UEmbedding, drawn: Drawn) -> Tensor:
        """The slots' input rows (B, N, L, E). A c-ptp slot carries the u of the token before its own."""
        u = drawn.u_in(self.order) if self.told else drawn.u
        if not self.start_slot:
            return embedding(u, drawn.temperature)
        behind = embedding(u[..., :-1], drawn.temperature[..., 1:])
        return torch.cat([embedding.start.expand_as(behind[..., :1, :]), behind], -2)

    def each(self, logits: Tensor, drawn: Drawn, skip: int = 0) -> Tensor:
        """The loss of each slot (B, N, L - skip) from the slots' logits (B, N, L - skip, V), those `skip` left out."""
        tokens, rows = drawn.tokens[..., skip:], logits.float().flatten(0, 2)
        if self.loss == "cross_entropy":
            return F.cross_entropy(rows, tokens.flatten(), reduction="none").view_as(tokens)
        columns, probs = (part[..., skip:, :].flatten(0, 2) for part in (drawn.ids, drawn.probs))
        return divergence(rows, columns, probs, reverse=False).view_as(tokens)

    def drafts(self, logits: Tensor, drawn: Drawn, skip: int = 0, argmax: bool | None = None) -> Tensor:
        """What the slots draft (B, N, L - skip), arguments as `each`'s.

        The likeliest token; c-ptp slots pick from their distribution by the u of their own token. `argmax` overrides
        that.
        """
        if self.variant != C_PTP if argmax is None else argmax:
            return logits.argmax(-1)
        return pick(logits.float().softmax(-1), drawn.u_in(self.order)[..., skip:], self.order)


_IDS, _ODDS, _PICKED, _WHOLE = "token_id", "probability", default_loss(O_PTP), default_loss(C_PTP)
SLOT_KINDS = {
    "o-ptp-id": SlotKind(O_PTP, _IDS, _PICKED, "-ptp", "O-PTP, token-id order"),
    "o-ptp-probability": SlotKind(O_PTP, _ODDS, _PICKED, "-ptp-probability", "O-PTP, order of probability"),
    "c-ptp-id": SlotKind(C_PTP, _IDS, _WHOLE, "-c-ptp", "C-PTP, token-id order"),
    "u-blind": SlotKind(U_BLIND, _IDS, default_loss(U_BLIND), "-u-blind-kl", "u-blind, likeliest token"),
    "u-blind-token": SlotKind(U_BLIND, _IDS, _PICKED, "-u-blind", "u-blind, trained on picked tokens"),
}


def slot_kind(name: str) -> SlotKind:
    """ValueError with the known names if there is none of this one."""
    if name not in SLOT_KINDS:
        raise ValueError(f"Unknown kind of slots {name!r}; known: {', '.join(SLOT_KINDS)}.")
    return SLOT_KINDS[name]
