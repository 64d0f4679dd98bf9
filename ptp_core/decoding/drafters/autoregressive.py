"""No drafter at all: one token per call, the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...model.ptp_model import PTPModel
from ...noise import NoiseTape
from ...sampling import SamplingConfig
from ...trace import DecodeStep
from ..session import START, Resume, Run, drive


def decode_ar(
    model: PTPModel,
    ids: Sequence[int],
    noise: NoiseTape,
    sampling: SamplingConfig,
    *,
    max_new_tokens: int = 64,
    details: bool = True,
    resume: Resume = START,
) -> Iterator[DecodeStep]:
    """Autoregressive decoding: one token per call. The baseline, on the same kernels as the others."""
    run = Run(model, ids, noise, sampling, max_new_tokens, 0, details=details, resume=resume)
    return drive(run, lambda drafts: [])
