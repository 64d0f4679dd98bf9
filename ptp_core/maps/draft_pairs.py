"""Real pairs of odds along a text: the target's, and those of slots that are told no noise.

N places    K columns: the tokens that either of them holds likely, in order of their ids
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.ptp_model import PTPModel
from ..trace import Trace
from .blind import blind_model, blind_place
from .contexts import Contexts
from .position import Place

MOST = 64  # tokens of each that count


def draft_pairs(model: PTPModel, trace: Trace, contexts: Contexts | None = None) -> tuple[Tensor, Tensor]:
    """(p, q), both (N, 2 * MOST): the final odds of the target and the draft's, at every place of the text.

    The draft's are those of its first slot, as trained. A place's columns stand in the order of their token ids, and
    columns of no token hold 0. Two model calls a place. ValueError without an adapter.
    """
    contexts, lead = contexts or Contexts(), blind_model(model).require_adapter().lead
    rows = []
    for position in range(lead, len(trace.tokens)):
        found = Place(model, trace, position, contexts).found.cpu()
        logits = blind_place(model, trace, position - lead, contexts)[0].untold_logits(1)
        drafted = logits.float().softmax(-1).topk(min(MOST, logits.shape[-1]), dim=-1)
        kept = found.probs.topk(min(MOST, found.probs.shape[1]), dim=-1)
        rows.append(
            _pair(found.tokens[0][kept.indices[0]], kept.values[0], drafted.indices[0].cpu(), drafted.values[0].cpu())
        )
    p, q = (torch.stack(part) for part in zip(*rows, strict=True))
    return p, q


def _pair(tokens: Tensor, probs: Tensor, others: Tensor, other_probs: Tensor) -> tuple[Tensor, Tensor]:
    """Both distributions (K,) over the same columns, each summing to 1."""
    columns = torch.cat([tokens, others]).unique()
    p, q = torch.zeros(2 * MOST), torch.zeros(2 * MOST)
    p[torch.searchsorted(columns, tokens)] = probs.float()
    q[torch.searchsorted(columns, others)] = other_probs.float()
    return p / p.sum(), q / q.sum()
