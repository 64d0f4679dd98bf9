"""Single calls of the tiny model."""

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
