"""The buffers and graphs of one run: a second run at the same time has its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..sampling import SamplingConfig
from .call_inputs import CallFields, CallInputs
from .decision import Decided, Decision, DraftRule, Packed
from .graphs import Capture, Replayed
from .network import Network
from .shapes import READ_ROWS, CallShape

_MOST_DECISIONS = 8  # kinds of sampling and drafting that a workspace remembers
Formulas = tuple[SamplingConfig, DraftRule | None]


class Workspace:
    """Calls of one shape over one cache. With a capture, they are captured and replayed."""

    def __init__(
        self, network: Network, shape: CallShape, reserved: int, num_edits: int, capture: Capture | None
    ) -> None:
        self.network, self.shape = network, shape
        self.cache = network.new_cache(shape.columns, reserved)
        self._capture = capture
        self._inputs = CallInputs(shape, num_edits, network.device)
        self._network = Replayed(self._run_network, capture)
        self._reading_shape = CallShape(READ_ROWS, 0, shape.columns)
        self._reading = CallInputs(self._reading_shape, 0, network.device)
        self._read = Replayed(self._run_reading, capture)
        self._decisions: OrderedDict[Formulas, Replayed[Packed]] = OrderedDict()
        self._latest: tuple[CallFields, Tensor, Tensor] | None = None

    def _run_network(self) -> tuple[CallFields, Tensor, Tensor]:
        fields = self._inputs.fields()
        hidden = self.network(fields, self.shape, self.cache)
        return fields, hidden, self.network.logits(hidden[: self.shape.tokens])

    def _run_reading(self) -> Tensor:
        return self.network(self._reading.fields(), self._reading_shape, self.cache)

    @torch.inference_mode()
    def read(self, tokens: Sequence[int]) -> None:
        """Puts tokens into the cache, behind what it holds, in pieces of READ_ROWS."""
        for start in range(0, len(tokens), READ_ROWS):
            piece = tokens[start : start + READ_ROWS]
            self._reading.fill({"context": [self.cache.length], "tokens": piece})
            self._read()
            self.cache.keep(self.cache.length + len(piece))

    @torch.inference_mode()
    def logits(self, tokens: Sequence[int]) -> Tensor:
        """Logits (len(tokens), V) of tokens behind the cached ones, of which they become none."""
        self._inputs.fill({"context": [self.cache.length], "tokens": tokens})
        self._latest = self._network()
        return self._latest[2][: len(tokens)]

    @torch.inference_mode()
    def step(self, values: Mapping[str, Sequence[float]], formulas: Formulas) -> Decided:
        """One call: fields by name (see CallFields) to the results. The cache is written but not advanced."""
        self._inputs.fill(values)
        self._latest = self._network()
        packed = self._decision(formulas)()
        return packed.unpack(*self._latest[1:])

    def _decision(self, formulas: Formulas) -> Replayed[Packed]:
        if formulas not in self._decisions:
            decision = Decision(self.network, *formulas)
            self._decisions[formulas] = Replayed(lambda: decision(*self._last), self._capture)
            while len(self._decisions) > _MOST_DECISIONS:
                self._decisions.popitem(last=False)
        self._decisions.move_to_end(formulas)
        return self._decisions[formulas]

    @property
    def _last(self) -> tuple[CallFields, Tensor, Tensor]:
        """What the network gave last; with a capture these are the same tensors each time."""
        assert self._latest is not None
        return self._latest
