import torch
from support.calls import IDS, hidden_of


def test_fast_kernels_compute_what_transformers_computes(make_model):
    for u, tail in ((None, 0), ([0.3], 0), ([0.1, 0.9, 0.5], 3)):
        slow, fast = (hidden_of(make_model(quick=quick), IDS, u, tail) for quick in (False, True))
        assert torch.allclose(slow, fast, atol=1e-4)
