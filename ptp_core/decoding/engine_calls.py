"""Calls of a run by the engine: all of one shape, with one wait for the device in each."""

from __future__ import annotations

from collections.abc import Sequence

from ..coupling import NoiseAt, coupling_of
from ..coupling.noise_at import noise_from
from ..engine.call_inputs import NONE, num_values
from ..engine.decision import Decided, DraftRule
from ..engine.shapes import rows_for
from ..model.attention import KVCache
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..philox import round_keys
from ..sampling import SamplingConfig
from ..trace import Draft
from ..verify import verify
from .calls import Picked, Reply, Spec, pick
from .settings import DecodeSettings
from .slots import UNTOLD, Answer, Slots
from .stopwatch import Laps

_USUAL_DRAFTS = 15  # by any method, unless a setting or an adapter wants more


def engine_rows(model: PTPModel, settings: DecodeSettings, max_drafts: int = 0) -> int:
    """Rows of tokens in the calls of a run. They hang on model and settings, so all methods have the same.

    max_drafts: the most that a call verifies.
    """
    window = model.adapter.max_drafts if model.adapter else 0
    asked = settings.num_speculative_tokens or 0
    slots = settings.slots(0)
    return rows_for(max(_USUAL_DRAFTS + 1, window + 1, asked + 1, slots, max_drafts + 1))


class EngineCalls:
    """Calls by the engine of a model. The cache is the workspace's."""

    cache: KVCache

    def __init__(
        self, model: PTPModel, noise: NoiseTape, sampling: SamplingConfig, settings: DecodeSettings,
        slots: Slots | None, max_drafts: int, length: int,
    ) -> None:  # fmt: skip
        """length: of prompt and text at most. max_drafts: the most that a call verifies."""
        self._noise, self._sampling, self._slots = noise, sampling, slots
        self._details = settings.details
        rows = engine_rows(model, settings, max_drafts)
        self._clocks = [(*place, value) for place, value in noise.clock_edits.items()]
        self._keys = [word for pair in round_keys(noise.key) for word in pair]
        if coupling_of(sampling).one_number:
            self._clocks = []
        self._workspace = model.engine.lend(self, rows, length, len(self._clocks))
        self.cache = self._workspace.cache
        self._formulas = sampling, None if slots is None else _draft_rule(slots, min(max_drafts, rows))

    def __call__(self, pending: Sequence[int], drafts: Sequence[Draft], spec: Spec, first: int, laps: Laps) -> Reply:
        """first: the generated position that the first target row decides."""
        self._workspace.read(pending[:-1])
        laps.lap("embed")
        in_front = [pending[-1], *(d.token for d in drafts)]
        values, branch_rows = self._values(in_front, spec, first)
        laps.lap("layout")
        decided = self._workspace.step(values, self._formulas)
        laps.lap("body")
        count = len(in_front)
        network, tokens = self._workspace.network, self._workspace.shape.tokens
        noise = noise_from(self._noise, first, count)
        sure = all(decided.sure[:count])
        picked = self._picked(decided, count, noise) if sure else pick(decided.logits[:count], self._sampling, noise)
        targets = picked.tokens
        right = verify(in_front[1:], targets).num_accepted == decided.accepted
        slots = decided.hidden[tokens:]
        if spec and not (self._slots and self._slots.chained) and (self._details or not right):
            slots = network.logits(slots)
        answer = Answer(first, spec, branch_rows, slots, in_front, targets, decided.hidden[:count])
        laps.lap("pick")
        return Reply(picked, answer, decided.drafts if right else None)

    def _picked(self, decided: Decided, count: int, noise: NoiseAt) -> Picked:
        """The device's picks as the host's records want them."""
        found = decided.found.part(0, count).cpu()
        clocks = coupling_of(self._sampling).clocks(found, noise)
        return Picked(decided.logits[:count], found, decided.columns[:count, None], clocks)

    def _values(
        self, in_front: Sequence[int], spec: Spec, first: int
    ) -> tuple[dict[str, Sequence[float]], list[range]]:
        """The call's fields (see CallFields), and each branch's rows of the slots."""
        context, noise, by_slots = self.cache.length, self._noise, self._slots
        slots: dict[str, list[float]] = {name: [] for name in _SLOT_FIELDS}
        starts, branch_rows = [NONE] * (max((m for m, _ in spec), default=NONE) + 1), []
        for assumed, length in spec:
            assert by_slots is not None
            start, text = len(slots["slot_u"]), context + 1 + assumed
            position = text + by_slots.lead + by_slots.shift
            slots["anchors"] += [in_front[assumed], *([NONE] * (length - 1))]
            slots["slot_starts"] += [start] * length
            slots["slot_positions"] += range(position, position + length)
            slots["slot_seen"] += [text] * length
            told = by_slots.tells_u
            slots["slot_u"] += noise.values(first + assumed, first + assumed + length) if told else [UNTOLD] * length
            starts[assumed] = start
            branch_rows.append(range(start, start + length))
        values: dict[str, Sequence[float]] = {
            "context": [context], "first": [first], "temperature": [self._sampling.temperature], "tokens": in_front,
            "drafts": in_front[1:], "branch_start": starts, **slots,
            "u": noise.values(first, first + num_values(self._workspace.shape)), "keys": self._keys,
        }  # fmt: skip
        if self._clocks:
            names = ("edit_positions", "edit_tokens", "edit_values")
            values |= dict(zip(names, zip(*self._clocks, strict=True), strict=True))
        return values, branch_rows


_SLOT_FIELDS = ("anchors", "slot_starts", "slot_positions", "slot_seen", "slot_u")


def _draft_rule(slots: Slots, width: int) -> DraftRule:
    return DraftRule(width, slots.chained, slots.argmax, slots.sharpness, slots.lead, slots.num_settled)
