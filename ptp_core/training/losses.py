"""Losses of distillation: what a slot says against what the target will pick.

B sequences    N windows per sequence    L slots per window
V vocabulary   K tokens of the teacher's final distribution   M tokens of the restricted head
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.ptp_model import PTPModel
from .windows import IGNORE, Batch, chained_hidden

LOSSES = ("cross_entropy", "kl", "reverse_kl", "total_variation")
_TOKEN_SHARE = 0.1  # of cross-entropy with the target token, beside total variation
DIRECT_SHARE = 0.5  # of the loss without the chain, beside that with it
_FLOOR = 1e-6  # probability of a token outside the teacher's support, where a loss needs its logarithm


def restricted_vocabulary(batch: Batch, size: int) -> Tensor:
    """(M,) sorted ids, of `size` there are, of every token that some teacher distribution of the batch holds."""
    used = torch.zeros(size + 1, dtype=torch.bool, device=batch.support.device)  # the last one for no token
    for ids in (batch.support, torch.where(batch.targets == IGNORE, size, batch.targets)):
        used.index_fill_(0, ids.flatten(), True)
    return used[:size].nonzero().flatten()


def distillation_loss(
    model: PTPModel,
    batch: Batch,
    hidden: Tensor,
    loss: str = "cross_entropy",
    decay: float = 0.75,
    vocabulary: Tensor | None = None,
) -> Tensor:
    """Mean loss over all valid slots, slot j weighted by decay^j. Scalar, float32.

    With a chain head it is the mean loss of the chained slots, weighted alike, plus DIRECT_SHARE times
    that of the slots' own drafts.

    loss: cross_entropy with the target token (o-ptp), kl(teacher || draft), reverse_kl, or total_variation with a
    share of cross_entropy. With a `vocabulary` (M,) the softmax runs over those tokens only.
    """
    direct = slot_loss(model, batch, hidden, 0, loss, decay, vocabulary)
    if model.chain is None:
        return direct
    settled = model.require_adapter().num_settled
    chained = slot_loss(model, batch, chained_hidden(model, batch, hidden), settled, loss, decay, vocabulary)
    return DIRECT_SHARE * direct + chained


def slot_loss(
    model: PTPModel, batch: Batch, rows: Tensor, skip: int, loss: str, decay: float, vocabulary: Tensor | None
) -> Tensor:
    """Mean loss of the slots skip.. with hidden states rows (B, N, L - skip, E); arguments as distillation_loss's."""
    head = model.target.get_output_embeddings().weight
    ids = torch.arange(len(head), device=head.device) if vocabulary is None else vocabulary
    weight = head if vocabulary is None else head[ids]
    targets = batch.targets[..., skip:]
    valid = (targets != IGNORE).flatten().nonzero().flatten()  # the host waits here, and once
    decays = decay ** torch.arange(rows.shape[2], device=rows.device)

    def chosen(part: Tensor) -> Tensor:
        return part.flatten(0, 2)[valid]

    weights = chosen(decays.expand_as(targets))
    logits = F.linear(chosen(rows).to(weight.dtype), weight).float()  # (slots, M)
    if loss == "total_variation":
        each = disagreement(logits, ids, chosen(targets), chosen(batch.support[..., skip:, :]),
                            chosen(batch.probs[..., skip:, :]))  # fmt: skip
    elif loss == "cross_entropy":
        each = F.cross_entropy(logits, torch.searchsorted(ids, chosen(targets)), reduction="none")
    else:
        columns = torch.searchsorted(ids, chosen(batch.support[..., skip:, :])).clamp(max=len(ids) - 1)
        each = divergence(logits, columns, chosen(batch.probs[..., skip:, :]), reverse=loss == "reverse_kl")
    return (each * weights).sum() / weights.sum().clamp(min=1e-9)


def divergence(logits: Tensor, columns: Tensor, probs: Tensor, reverse: bool) -> Tensor:
    """KL(teacher || draft) or, reverse, KL(draft || teacher) of each row.

    logits (R, M); the teacher gives probs (R, K) to the columns (R, K) and nothing to the others.
    """
    log_draft = logits.log_softmax(-1)
    if not reverse:
        entropy = (probs * probs.clamp(min=_FLOOR).log()).sum(-1)
        return entropy - (probs * log_draft.gather(1, columns)).sum(-1)
    log_teacher = torch.zeros_like(logits).scatter_add(1, columns, probs).clamp(min=_FLOOR).log()
    return (log_draft.exp() * (log_draft - log_teacher)).sum(-1)


def disagreement(logits: Tensor, ids: Tensor, targets: Tensor, support: Tensor, probs: Tensor) -> Tensor:
    """Total variation between teacher and draft of each row, with a share of cross-entropy with the target token.

    One less the total variation is how often the best coupling of both lets them agree. logits (R, M) of the sorted
    tokens ids (M,). The teacher gives probs (R, K) to the tokens support (R, K). Tokens outside ids have no odds in the
    draft; targets (R,) among them have no cross-entropy.
    """
    draft = logits.softmax(-1)

    def columns(tokens: Tensor) -> tuple[Tensor, Tensor]:
        found = torch.searchsorted(ids, tokens).clamp(max=len(ids) - 1)
        return found, ids[found] == tokens

    column, there = columns(support)
    shared = torch.minimum(draft.gather(1, column) * there, probs).sum(-1)
    target, known = columns(targets)
    surprise = F.cross_entropy(logits, target, reduction="none") * known
    return (1 - _TOKEN_SHARE) * (1 - shared) + _TOKEN_SHARE * surprise


def default_loss(variant: str) -> str:
    return "cross_entropy" if variant == "o-ptp" else "kl"
