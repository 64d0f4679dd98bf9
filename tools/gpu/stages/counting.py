"""Answers of a benchmark that only counts: many questions are decoded together, so no answer has a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ptp_core import NoiseTape
from ptp_core.benchmark.config import BenchConfig, Job
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.runner import Bench, Lineup, prompt_ids
from ptp_core.decoding.decode import new_trace
from ptp_core.decoding.known_texts import KnownText
from ptp_core.model.ptp_model import PTPModel
from ptp_core.trace import DecodeStep, Trace
from ptp_core.training.batch_sampling import Request, decode_at_once, write_texts

_TOGETHER = 40  # questions


class CountingBench(Bench):
    """As Bench, for runs without sweeps whose methods all draft by slots, or not at all."""

    def __init__(
        self, lineup: Lineup, config: BenchConfig, stop: Callable[[], bool], questions: Sequence[Question]
    ) -> None:
        super().__init__(lineup, config, stop)
        self._one_row = None  # nothing is timed
        self._first = config.seed
        self._prompts = [prompt_ids(lineup.model, question) for question in questions]
        self._texts: dict[int, KnownText] = {}  # by seed
        self._steps: dict[tuple[str, int], list[DecodeStep]] = {}

    def warm_up(self, jobs: Sequence[Job]) -> None:
        """Nothing is timed."""

    def _decode(
        self, model: PTPModel, ids: Sequence[int], method: str, noise: NoiseTape, config: BenchConfig, most: int
    ) -> Trace | None:
        settings, sampling = config.decoding(most), config.sampling(self._order)
        if noise.seed not in self._texts:
            start = noise.seed - self._first
            some = enumerate(self._prompts[start : start + _TOGETHER], noise.seed)
            requests = [Request(prompt, sampling, most, seed) for seed, prompt in some]
            self._texts = {text.noise.seed: text for text in write_texts(model, requests)}
        if (method, noise.seed) not in self._steps:
            found = decode_at_once(model, list(self._texts.values()), method, settings)
            self._steps |= {(method, seed): steps for seed, steps in zip(self._texts, found, strict=True)}
        steps = self._steps.pop((method, noise.seed))
        return None if self._stop() else new_trace(model, ids, method, noise, sampling, "", steps, settings)
