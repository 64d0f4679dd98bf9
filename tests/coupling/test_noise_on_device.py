"""The clocks that a device computes are the tape's."""

import numpy as np
import pytest
import torch

from ptp_core import NoiseTape
from ptp_core.coupling.noise_on_device import ClockNoise, NoiseOnDevice
from ptp_core.noise import MAX_SEED
from ptp_core.philox import round_keys


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 5, MAX_SEED])
@pytest.mark.parametrize("edits", [{}, {(3, 9): 0.25, (4, 0): 0.5}])
def test_clocks_are_the_tapes(seed, edits):
    tape = NoiseTape(seed, clock_edits=edits)
    tokens = torch.arange(12).repeat(5, 1) + torch.tensor([0, 0, 0, 1 << 20, (1 << 32) - 12])[:, None]
    positions = torch.tensor([0, 3, 4, 1 << 20, 2])
    source = ClockNoise(
        torch.tensor(round_keys(tape.key)),
        torch.tensor([place for place, _ in edits] + [-1]),
        torch.tensor([token for _, token in edits] + [0]),
        torch.tensor([*edits.values(), 0.0]),
    )
    found = NoiseOnDevice(torch.zeros(5), positions, source).clocks(tokens)
    expected = tape.clocks(positions[:, None].numpy(), tokens.numpy()).astype(np.float32)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), expected)
