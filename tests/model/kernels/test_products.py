import pytest
import torch

from ptp_core.model.kernels.products import Int8Linear


def test_eight_bits_say_nearly_the_same():
    draw = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(64, 32, generator=draw), torch.randn(64, generator=draw)
    x = torch.randn(1, 32, generator=draw).bfloat16()
    if not Int8Linear.suits(weight):
        pytest.skip("this machine has no product with eight-bit weights")
    exact = x.float() @ weight.t() + bias
    assert (Int8Linear(weight, bias)(x).float() - exact).norm() < 0.02 * exact.norm()
