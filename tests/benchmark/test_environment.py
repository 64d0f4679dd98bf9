"""What a result says about the machine."""

import mmap

import pytest
import torch

from ptp_core.benchmark.environment import PeakMemory


def test_peak_memory_is_each_answers_own():
    """On Linux. A large block between two resets shows in the first reading and is gone from the second."""
    memory = PeakMemory(torch.device("cpu"))
    memory.reset()
    if memory.read() is None:
        pytest.skip("this system does not tell peaks")
    before = memory.read()
    with mmap.mmap(-1, 64 << 20) as block:  # malloc may keep what is freed
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        with_block = memory.read()
    memory.reset()
    assert with_block >= before + 48
    assert memory.read() <= with_block - 48
