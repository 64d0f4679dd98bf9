"""No drafts at all: one token per call, the baseline on the same kernels as the others."""

from .base import Drafter, drafts


@drafts("ar")
class Autoregressive(Drafter):
    """Proposes nothing."""
