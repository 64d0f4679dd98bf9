"""Continues many texts at once. Each has a seat; a text that ends leaves its seat to the next one.

A step brings a token to each text: layers, distribution, Pick, ends, all on the device, on CUDA as one graph. The host
looks every LOOK_EVERY steps, and then only: it takes the new tokens, and seats texts that wait.

    N seats, n of them in use    C columns of each    U numbers of noise of each    V vocabulary
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..coupling import coupling_of
from ..coupling.noise_on_device import ClockNoise, NoiseOnDevice
from ..noise import NoiseTape
from ..philox import NUM_ROUNDS, round_keys
from ..sampling import SamplingConfig, candidates_by_row
from .graphs import Capture
from .many_texts import ManyTexts, TextsCache, read_width

LOOK_EVERY = 16  # steps
_FEWEST = 32  # seats: fewer would save nothing
_READ_CELLS = 32_768  # tokens of prompts that are read at once, filling included
_FILL_UP = 1 / 16  # seats are filled again as soon as this share of them is free
Report = Callable[[int], None]


@dataclass(frozen=True)
class Text:
    """A prompt, how hot its continuation is sampled, at most how many tokens, and its noise, which has no edits."""

    prompt: Sequence[int]
    temperature: float
    limit: int
    noise: NoiseTape


@dataclass(frozen=True)
class SeatsShape:
    """Seats, columns of keys and values of each, and numbers of noise of each."""

    seats: int
    columns: int
    noise: int


@dataclass(frozen=True)
class Rules:
    """How texts are continued: the filters (their temperature does not count), tokens that end a text, and those that
    are never said."""

    sampling: SamplingConfig
    ends: tuple[int, ...]
    forbidden: tuple[int, ...] = ()


class Seats:
    """Seats of one shape and one kind of sampling, over memory that others use at other times."""

    def __init__(
        self, network: ManyTexts, shape: SeatsShape, rules: Rules, memory: TextsCache, capture: Capture | None
    ) -> None:
        self._network, self._shape, self._capture = network, shape, capture
        self._sampling = replace(rules.sampling, temperature=1.0)
        self._coupling, self._kv = coupling_of(rules.sampling), memory.shaped(shape.seats, shape.columns)
        device = self._device = network.device
        self._ends, self._forbidden = (
            torch.tensor(tokens, dtype=torch.long, device=device) for tokens in (rules.ends, rules.forbidden)
        )

        def buffer(*size: int, dtype: torch.dtype = torch.long) -> Tensor:
            return torch.zeros(shape.seats, *size, dtype=dtype, device=device)

        self._token, self._length, self._count, self._limit, self._going, self._fine = (buffer() for _ in range(6))
        self._keys, self._said = buffer(2 * NUM_ROUNDS), buffer(LOOK_EVERY)
        self._temperature, self._u = (buffer(*size, dtype=torch.float32) for size in ((), (shape.noise,)))
        self._column = torch.zeros(1, dtype=torch.long, device=device)  # of `said`, for the next step
        self._states = [
            self._token, self._length, self._count, self._limit, self._going, self._fine, self._keys, self._temperature,
            self._u,
        ]  # fmt: skip
        self._steps: dict[int, Callable[[], object]] = {}

    @torch.inference_mode()
    def continue_all(self, texts: Sequence[Text], report: Report | None = None) -> list[list[int]]:
        """The continuation of each text, the token that ends it included. report(n) hears of n new tokens at each look.

        The first texts are seated first. ValueError where the model returns logits that are not finite.
        """
        found: list[list[int]] = [[] for _ in texts]
        waiting, seated = deque(range(len(texts))), dict[int, int]()  # seat: its text
        size = self._shape.seats
        self._going.zero_()
        while waiting or seated:
            free = [seat for seat in range(size) if seat not in seated]
            if waiting and len(free) >= min(len(waiting), _FILL_UP * size):
                new = {seat: waiting.popleft() for seat, _ in zip(free, range(len(waiting)), strict=False)}
                self._seat({seat: texts[i] for seat, i in new.items()})
                seated |= new
            while not waiting and size > _FEWEST and len(seated) <= size // 2:
                size //= 2
                seated = self._move_together(seated, size)
            steps = min(LOOK_EVERY, max(texts[i].limit - len(found[i]) for i in seated.values()))
            self._column.zero_()
            for _ in range(steps):
                self._step(size)
            told, fresh = self._look(size), 0
            for seat, i in list(seated.items()):
                count, going, fine, said = told[seat]
                if not fine:
                    raise ValueError("The model returned logits that are not finite.")
                fresh += count - len(found[i])
                found[i] += said[: count - len(found[i])]
                if not going:
                    del seated[seat]
            if report:
                report(fresh)
        return found

    def _seat(self, new: dict[int, Text]) -> None:
        """Reads the prompts but for their last tokens, which the next step takes."""
        lasts = [len(text.prompt) - 1 for text in new.values()]
        by_length = sorted(zip(lasts, new, strict=True))
        while by_length:
            width = read_width(by_length[-1][0])
            some = by_length[-max(_READ_CELLS // width, 1) :]
            del by_length[-len(some) :]
            rows = [[seat, *(new[seat].prompt[:last]), *[0] * (width - last)] for last, seat in some]
            places, tokens = torch.tensor(rows, device=self._device).split([1, width], 1)
            if some[-1][0]:
                self._network.read(tokens, places.flatten(), self._kv)
        heads = [
            [t.prompt[-1], n, 0, t.limit, 1, 1, *_words(t.noise)] for n, t in zip(lasts, new.values(), strict=True)
        ]
        numbers = [[t.temperature, *t.noise.values(0, self._shape.noise)] for t in new.values()]
        told = torch.tensor([[*row, *real] for row, real in zip(heads, numbers, strict=True)], dtype=torch.float64)
        told = torch.cat([torch.tensor(list(new), dtype=torch.float64)[:, None], told], 1).to(self._device)
        places = told[:, 0].long()
        widths = [1] * 6 + [2 * NUM_ROUNDS, 1, self._shape.noise]
        for state, part in zip(self._states, told[:, 1:].split(widths, 1), strict=True):
            state.index_copy_(0, places, part.to(state.dtype).view(-1, *state.shape[1:]))

    def _move_together(self, seated: dict[int, int], size: int) -> dict[int, int]:
        """Moves texts into the first `size` seats; who sits where then."""
        sources = [seat for seat in seated if seat >= size]
        targets = [seat for seat in range(size) if seat not in seated][: len(sources)]
        if sources:
            from_, to = torch.tensor([sources, targets], device=self._device)
            for state in self._states:
                state.index_copy_(0, to, state.index_select(0, from_))
            for layer in self._kv.flatten(0, 1):  # by and by: half of the memory may move
                layer.index_copy_(0, to, layer.index_select(0, from_))
        moved = dict(zip(sources, targets, strict=True))
        # the free ones among the first seats go on with what they have, and are not looked at
        return {moved.get(seat, seat): i for seat, i in seated.items()}

    def _step(self, size: int) -> None:
        """One token for each of the first `size` seats."""
        if size not in self._steps:

            def run() -> None:
                self._run(size)

            if self._capture is None:
                self._steps[size] = run
            else:
                kept = [state.clone() for state in (*self._states, self._column)]
                _, self._steps[size] = self._capture(run)  # which runs it a few times, too
                for state, before in zip((*self._states, self._column), kept, strict=True):
                    state.copy_(before)
        self._steps[size]()

    def _run(self, size: int) -> None:
        token, length, count, limit, going, fine, keys, temperature, u = (state[:size] for state in self._states)
        logits = self._network.logits(self._network.next(token, length, self._kv[:, :, :size]))
        if len(self._forbidden):
            logits = logits.index_fill(1, self._forbidden, -1e9)
        found, finite = candidates_by_row(logits, self._sampling, temperature)
        own = u.gather(1, count.clamp(max=u.shape[1] - 1)[:, None]).squeeze(1)
        none = self._ends[:0]  # no clock is edited
        clocks = ClockNoise(keys.t().unflatten(0, (-1, 2))[..., None], none, none, none)
        columns = self._coupling.columns(found, NoiseOnDevice(own, count, clocks)).clamp(max=found.tokens.shape[1] - 1)
        picked = found.tokens.gather(1, columns[:, None]).squeeze(1)
        self._said[:size].index_copy_(1, self._column, picked[:, None])
        self._column.add_(1)
        fine.mul_(finite | (going == 0))
        # seats that are not going stand still
        token.copy_(torch.where(going > 0, picked, token))
        length.add_(going)
        count.add_(going)
        ended = count >= limit
        if len(self._ends):
            ended = ended | (picked[:, None] == self._ends).any(-1)
        going.mul_(~ended)

    def _look(self, size: int) -> list[tuple[int, int, int, list[int]]]:
        """Of each seat: how many tokens its text has, whether it goes on and is fine, what was said. The one wait."""
        states = [state[:size, None] for state in (self._count, self._going, self._fine)]
        rows = torch.cat([*states, self._said[:size]], 1).tolist()
        return [(row[0], row[1], row[2], row[3:]) for row in rows]


def _words(noise: NoiseTape) -> list[int]:
    """The words that each round of the clocks' generator adds."""
    return [word for pair in round_keys(noise.key) for word in pair]
