"""All that a call is told, in one buffer: one copy to the device brings it there.

The buffer is float64, which holds token ids, positions and float32 numbers exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..philox import NUM_ROUNDS
from .shapes import CallShape

NONE = -1  # no draft, no branch, no edit


@dataclass(frozen=True)
class CallFields:
    """The buffer's content as tensors on the device. All are int64 but for the numbers of the noise.

    context          (1,) tokens in the cache before the call
    first            (1,) generated position that the first row's target token has
    temperature      (1,) float32, as slots are told it
    tokens           (H,) filled up with 0
    drafts           (H,) the draft that is compared with what each row's target says
    branch_start     (H,) for each number of right drafts: the first slot of its branch
    anchors          (S,) the last token before a branch, at its first slot
    slot_starts      (S,) first slot of the branch that a slot is in
    slot_positions   (S,) RoPE positions
    slot_seen        (S,) how many columns of the text a slot sees
    slot_u           (S,) float32
    u                (U,) float32, the noise of the positions from `first` on
    keys             (20,) the words of the clocks' generator, round by round
    edit_positions, edit_tokens, edit_values  (D,) clocks that replace the seed's
    """

    context: Tensor
    first: Tensor
    temperature: Tensor
    tokens: Tensor
    drafts: Tensor
    branch_start: Tensor
    anchors: Tensor
    slot_starts: Tensor
    slot_positions: Tensor
    slot_seen: Tensor
    slot_u: Tensor
    u: Tensor
    keys: Tensor
    edit_positions: Tensor
    edit_tokens: Tensor
    edit_values: Tensor


_REAL = {"temperature", "slot_u", "u", "edit_values"}
_UNLESS_SAID = {"drafts": NONE, "branch_start": NONE, "anchors": NONE, "edit_positions": NONE, "temperature": 1}


class CallInputs:
    """The buffer on the device, and how it is filled."""

    def __init__(self, shape: CallShape, num_edits: int, device: torch.device) -> None:
        heads = dict.fromkeys(("context", "first", "temperature"), 1)
        real = dict.fromkeys(("tokens", "drafts", "branch_start"), shape.tokens)
        slots = ("anchors", "slot_starts", "slot_positions", "slot_seen", "slot_u")
        edits = ("edit_positions", "edit_tokens", "edit_values")
        self._sizes = {
            **heads, **real, **dict.fromkeys(slots, shape.slots), "u": num_values(shape), "keys": 2 * NUM_ROUNDS,
            **dict.fromkeys(edits, num_edits),
        }  # fmt: skip
        self._buffer = torch.zeros(sum(self._sizes.values()), dtype=torch.float64, device=device)

    def fill(self, values: Mapping[str, Sequence[float]]) -> None:
        """One copy to the device. What is not given is filled up. ValueError for more than there is room for."""
        row: list[float] = []
        for name, size in self._sizes.items():
            given = values.get(name, ())
            if len(given) > size:
                raise ValueError(f"A call of this shape takes {size} numbers for {name}, got {len(given)}.")
            row += given
            row += [_UNLESS_SAID.get(name, 0)] * (size - len(given))
        # without a wait: what lies in ordinary memory is set aside before the copy returns
        self._buffer.copy_(torch.tensor(row, dtype=torch.float64), non_blocking=True)

    def fields(self) -> CallFields:
        """Kernels that read the buffer; a graph holds them."""
        parts = {True: self._buffer.float(), False: self._buffer.long()}
        found, start = {}, 0
        for name, size in self._sizes.items():
            found[name] = parts[name in _REAL][start : start + size]
            start += size
        return CallFields(**found)


def num_values(shape: CallShape) -> int:
    """How many numbers of the noise a call may ask for: of its rows' tokens, and of the drafts behind them."""
    return 2 * shape.tokens + 2
