"""Texts of the tiny model, and training windows over them."""

import torch

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.training.conversations import Conversation
from ptp_core.training.windows import WindowConfig, draw_windows


def conversation(model, seed=0, temperature=0.7, length=20):
    """A text of the tiny model that does not end early."""
    for noise in range(seed, seed + 60):
        prompt = [2 + (noise * k) % 11 for k in (1, 3, 5)]
        sampling = SamplingConfig(temperature)
        tokens = generate(model, prompt, "ar", NoiseTape(noise), sampling, max_new_tokens=length).tokens
        if len(tokens) == length:
            return Conversation([*prompt, *tokens], len(prompt), "chat", temperature)
    raise AssertionError("every text ends early")


def windows(model, rows, generator=0, **config):
    return draw_windows(
        model, rows, WindowConfig(**{"length": 4, "count": 6, **config}), torch.Generator().manual_seed(generator)
    )


VARIANTS = [
    {"variant": "o-ptp"},
    {"variant": "o-ptp", "anchor": True},
    {"variant": "c-ptp"},
    {"variant": "c-ptp", "anchor": True},
    {"variant": "c-ptp", "start_slot": True},
    {"variant": "c-ptp", "start_slot": True, "anchor": True},
    {"variant": "independent", "kind": "blank"},
]
LOSSES = [("o-ptp", "cross_entropy"), ("c-ptp", "kl"), ("c-ptp", "reverse_kl"), ("independent", "kl")]
