import torch

from ptp_core.model.layout import call_layout

IDS = [3, 5, 4, 7, 2, 9]


def hidden_of(model, ids, u=None, tail=0):
    """One call over ids, with len(u) slots behind all but the last `tail` of them."""
    branches = [(len(ids) - 1 - tail, len(u))] if u is not None else []
    layout = call_layout(0, 1, len(ids) - 1, branches)
    nothing = torch.tensor([0])
    slots = model.embed_slots(torch.tensor(u), 0.7, nothing, nothing)[None] if u is not None else None
    with torch.inference_mode():
        return model(torch.tensor([ids]), slots, positions=layout.positions, mask=layout.mask)[0]


def test_fast_kernels_compute_what_transformers_computes(make_model):
    for u, tail in ((None, 0), ([0.3], 0), ([0.1, 0.9, 0.5], 3)):
        slow, fast = (hidden_of(make_model(quick=quick), IDS, u, tail) for quick in (False, True))
        assert torch.allclose(slow, fast, atol=1e-4)
