"""Everything that decides a training run."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.config import VARIANTS
from .losses import LOSSES
from .windows import WindowConfig


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run. A step is `batch` conversations per process, `accumulate` times."""

    data: str
    out: str
    model: str | None = None  # None: the default target
    init: str | None = None  # an adapter to start from; decides LoRA sizes, CDF order and, unless u-blind, embedding
    objective: str = "distill"  # one of objectives.OBJECTIVES
    variant: str = "o-ptp"
    start_slot: bool = False
    anchor: bool = False
    depth: int = 8  # last layers that slots run through which do not run through all
    vocabulary: int = 8192  # tokens that such slots can draft
    markov: int = 256  # width of the Markov head behind slots that draft a window at once
    chain: int = 0  # width of the chain head, 0 for none; added to an adapter that has none
    loss: str = ""  # empty: cross_entropy for o-ptp, kl for the others; total_variation for parallel slots
    u_embedding: str = "fourier"  # "blank" for independent, "temperature" for slots that race
    rank: int = 32
    alpha: float = 32.0
    window: int = 4
    starts: int = 128
    beta: float = 0.5
    focus: float = 0.0  # on starts at tokens that the teacher did not expect (windows.WindowConfig)
    decay: float = 0.75
    order: str = "probability"
    steps: int = 1000
    batch: int = 1
    accumulate: int = 2
    learning_rate: float = 1e-3
    chain_rate: float = 1.0  # the chain head's learning rate, as a multiple of the others'
    warmup: int = 50
    final_share: float = 0.05  # of the learning rate, where the cosine ends
    clip: float = 1.0
    ema: float = 0.0
    whole_vocabulary: bool = False  # False: the softmax runs over tokens that the teacher considers
    max_tokens: int = 2048  # longer conversations are left out
    evaluate_every: int = 200
    evaluate_rows: int = 40
    save_every: int = 100
    minutes: float = 0.0  # stop after so much time, 0: after `steps`; the schedule follows the clock then
    seed: int = 0
    dtype: str = "bfloat16"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"Unknown variant {self.variant!r}; known: {', '.join(VARIANTS)}.")
        if not 0 <= self.focus < 1:
            raise ValueError(f"focus must lie in [0, 1), got {self.focus!r}.")
        if self.loss and self.loss not in LOSSES:
            raise ValueError(f"Unknown loss {self.loss!r}; known: {', '.join(LOSSES)}.")

    @property
    def windows(self) -> WindowConfig:
        return WindowConfig(self.window, self.starts, self.beta, order=self.order, focus=self.focus)
