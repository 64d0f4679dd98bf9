"""The engine's seats, in which many texts are written at once: are they right here, and how many tokens a second?"""

from __future__ import annotations

import random
import time

from ptp_core import SamplingConfig
from ptp_core.training.batch_sampling import Request, complete

from ..clock import Budget
from ..day import Day
from ..models import random_model, tiny_model
from .check import DTYPES, require

_TEMPERATURES = (0.0, 0.3, 0.7, 1.0)
_FIRST_TOKEN = 2  # of the tiny model's letters


def writing_exactness(day: Day, budget: Budget) -> None:
    """The tiny model in float32: texts in seats here are those that the CPU writes in batches; twice the same."""
    draw, letters = random.Random(0), range(_FIRST_TOKEN, 13)
    wrong = {}
    for coupling in ("inverse_cdf", "gumbel"):
        requests = [
            Request(
                draw.choices(letters, k=draw.choice((1, 5, 64, 90))),
                SamplingConfig(_TEMPERATURES[i % 4], 8, 0.9, coupling=coupling), draw.randint(1, 40), i,
            )
            for i in range(48)
        ]  # fmt: skip
        expected = complete(tiny_model("cpu"), requests, 16)
        model = tiny_model(day.device)
        found = [
            complete(model, requests, 16, seated=True) for _ in range(2)
        ]  # the second time by graphs that are there
        wrong[coupling] = [sum(a != b for a, b in zip(expected, texts, strict=True)) for texts in found]
    day.found("writing exactness", texts=48, wrong=wrong)
    require(not any(sum(each) for each in wrong.values()), f"texts differ: {wrong}")


def writing_speed(day: Day, budget: Budget) -> None:
    """Tokens a second at full size with random weights, which end no text: answers of 128 tokens behind 120."""
    count, limit = day.settings.writing_trial
    for name, dtype in DTYPES.items():
        model, draw = random_model(day, dtype), random.Random(1)
        letters = range(_FIRST_TOKEN, int(model.config.vocab_size))
        requests = [
            Request(draw.choices(letters, k=limit - 8), SamplingConfig(_TEMPERATURES[i % 4]), limit, i)
            for i in range(count)
        ]
        seconds = []
        for _ in range(2):  # the first time captures
            start = time.perf_counter()
            complete(model, requests, count, stop=False, seated=True)
            seconds.append(round(time.perf_counter() - start, 3))
        day.found("writing speed", **{name: {"seconds": seconds, "tokens_per_s": count * limit / seconds[-1]}})
        if budget.over:
            break
