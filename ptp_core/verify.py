"""Verification: how many drafts, from the first on, equal what the target picks with the same u's.

Acceptance is equality. There is no ratio of probabilities and no residual distribution. So the text is the one that
autoregressive decoding gives from the same noise, token for token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ExtraKind = Literal["recovered", "bonus"]


@dataclass(frozen=True)
class Verdict:
    """num_accepted drafts were right. extra_token is the target's own next token.

    It is `recovered` in place of the first wrong draft, or a `bonus` behind drafts that were all right.
    """

    num_accepted: int
    extra_token: int
    extra_kind: ExtraKind


def verify(draft_tokens: Sequence[int], target_tokens: Sequence[int]) -> Verdict:
    """Compares g drafts with the target's g + 1 picks. Raises ValueError for other lengths.

    target_tokens[i] is the target's pick after the first i drafts. It counts only if all of these are right.
    """
    if len(target_tokens) != len(draft_tokens) + 1:
        raise ValueError(
            f"{len(draft_tokens)} drafts need {len(draft_tokens) + 1} target tokens, got {len(target_tokens)}."
        )
    for i, (draft, target) in enumerate(zip(draft_tokens, target_tokens, strict=False)):
        if draft != target:
            return Verdict(i, target, "recovered")
    return Verdict(len(draft_tokens), target_tokens[-1], "bonus")
