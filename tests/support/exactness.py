"""Prompts, and noise whose texts are long enough."""

import random

from ptp_core import NoiseTape, generate


def prompt_of(seed):
    draw = random.Random(seed)
    return [draw.randrange(2, 13) for _ in range(draw.randrange(1, 12))]


def long_noise(model, ids, length):
    """The first seed whose text does not end before `length` tokens."""
    for seed in range(100):
        if len(generate(model, ids, "ar", noise=NoiseTape(seed), max_new_tokens=length).tokens) == length:
            return NoiseTape(seed)
    raise AssertionError("every text ends early")
