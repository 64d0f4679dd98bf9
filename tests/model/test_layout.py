import pytest
import torch

from ptp_core.model.layout import additive, call_layout

GEOMETRIES = [  # cached tokens, pending tokens, drafts, branches as (drafts assumed right, slots), lead
    (0, 1, 0, [], 0),
    (0, 5, 0, [], 0),
    (0, 4, 0, [(0, 3)], 0),
    (7, 1, 0, [(0, 4)], 0),
    (7, 1, 2, [], 0),
    (7, 1, 2, [(2, 3)], 0),
    (7, 1, 2, [(0, 2), (1, 2), (2, 2)], 0),
    (7, 1, 3, [(0, 4), (3, 1)], 0),
    (3, 2, 1, [(1, 5), (0, 2)], 0),
    (3, 1, 4, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)], 0),
    (7, 1, 2, [(0, 2), (2, 3)], 1),
    (0, 3, 0, [(0, 2)], 1),
]


def reference(context, pending, drafts, branches):
    """Row by row, from the definition: every row is named, and names decide."""
    rows = [("real", i, 0) for i in range(pending + drafts)]
    rows += [("slot", m, j, b) for b, (m, length) in enumerate(branches) for j in range(length)]
    mask = torch.zeros(len(rows), context + len(rows), dtype=torch.bool)
    for i, row in enumerate(rows):
        for k in range(context):
            mask[i, k] = True
        for k, other in enumerate(rows):
            if row[0] == "real":
                seen = other[0] == "real" and other[1] <= row[1]
            elif other[0] == "real":
                seen = other[1] < pending + row[1]
            else:
                seen = other[3] == row[3] and other[2] <= row[2]
            mask[i, context + k] = seen
    return mask


@pytest.mark.parametrize(("context", "pending", "drafts", "branches", "lead"), GEOMETRIES)
def test_call_layout_against_its_definition(context, pending, drafts, branches, lead):
    layout = call_layout(context, pending, drafts, branches, lead)
    assert layout.mask.equal(reference(context, pending, drafts, branches))
    positions = list(range(context, context + pending + drafts))
    for m, length in branches:
        predicted = context + pending + m + lead  # a slot sits where the target's logits for its token come from
        positions += [predicted + j - 1 for j in range(length)]
    assert layout.positions.tolist() == positions
    flat = [row for rows in layout.branch_rows for row in rows]
    assert flat == list(range(sum(length for _, length in branches)))


def test_additive_mask_is_zero_or_the_lowest_number():
    layout = call_layout(2, 1, 1, [(0, 2)])
    mask = additive(layout.mask, torch.device("cpu"), torch.float32)
    assert mask.shape == (4, 6)
    assert (mask == 0).equal(layout.mask)
    assert (mask[~layout.mask] == torch.finfo(torch.float32).min).all()
