"""PTP represents dependence: a world whose joint distribution is known, and walks whose perplexity is.

Seeds are fixed, so a run is the same every time on one machine; the bounds leave a factor of two.
"""

import itertools
from dataclasses import replace

import pytest
import torch

from ptp_core.sampling import pick
from ptp_core.toys.word_pairs import (
    ToyConfig,
    best_independent,
    drafted_joint,
    invalid_share,
    make_toy_model,
    make_world,
    run_toy,
    total_variation,
    train_toy,
)

SHORT = ToyConfig(steps=300, measure_every=150)


def test_the_world_has_pairs_that_forbid_each_other():
    world = make_world()
    assert world.joint.sum() == pytest.approx(1)
    assert (world.joint == 0).sum() > (world.joint > 0).sum()
    assert ((world.second > 0).sum(0) >= 1).all()


def test_the_best_independent_prediction_by_brute_force():
    """Three words by three: no q on a fine grid comes nearer than the exact one."""
    world = make_world()
    small = replace(world, first=world.first[:3] / world.first[:3].sum(), second=world.second[:3, :3] + 0.05)
    small = replace(small, second=small.second / small.second.sum(-1, keepdim=True))
    found = total_variation(best_independent(small), small.joint)
    grid = [
        torch.tensor([a, b, 1 - a - b], dtype=torch.double)
        for a, b in itertools.product(torch.linspace(0, 1, 81).tolist(), repeat=2)
        if a + b <= 1 + 1e-9
    ]
    best = min(total_variation(small.first[:, None] * q, small.joint) for q in grid)
    assert found <= best + 1e-9
    assert found == pytest.approx(best, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp"])
def test_ptp_reaches_the_joint(variant):
    seen = []
    last = train_toy(replace(SHORT, variant=variant), seen.append)
    assert last is seen[-1]
    assert [step.step for step in seen] == [150, 300]
    assert last.total_variation < 0.02
    assert last.invalid < 0.01


@pytest.mark.slow
def test_independent_prediction_cannot():
    world = make_world()
    limit = best_independent(world)
    last = train_toy(replace(SHORT, variant="independent"))
    assert last.total_variation >= total_variation(limit, world.joint) - 1e-3 > 0.4
    assert last.invalid > 0.3


def test_the_measurement_itself_is_right(monkeypatch):
    """Drafts from the world's own distributions have the world's joint, up to the grid; others do not."""
    world = make_world()
    model = make_toy_model(replace(SHORT, variant="c-ptp"), world)
    axis = (torch.arange(192) + 0.5) / 192
    u = torch.cartesian_prod(axis, axis)
    first = pick(world.first.expand(len(u), -1), u[:, 0], "token_id")
    second = pick(world.second[first], u[:, 1], "token_id")
    exact = torch.bincount(first * world.second.shape[1] + second, minlength=world.joint.numel())
    grid_error = total_variation(exact.view(world.joint.shape).double() / len(u), world.joint)
    assert grid_error < 0.01
    untrained = drafted_joint(model, world)
    assert total_variation(untrained, world.joint) > 0.3
    assert invalid_share(untrained, world) > 0.2

    def perfect(model, u):
        logits = torch.full((len(u), 1, 17), -1e9)
        chosen = pick(world.first.expand(len(u), -1), u[:, 0], "token_id")
        logits[:, 0, 7:] = world.second[chosen].clamp(min=1e-30).log().float()
        return logits

    monkeypatch.setattr("ptp_core.toys.word_pairs._draft_logits", perfect)
    assert total_variation(drafted_joint(model, world), world.joint) == pytest.approx(grid_error, abs=1e-3)


@pytest.mark.slow
def test_a_toy_run_is_a_function_of_its_seed():
    runs = [[step.to_json() for step in run_toy(ToyConfig(steps=20, measure_every=10, seed=3))] for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] != [step.to_json() for step in run_toy(ToyConfig(steps=20, measure_every=10, seed=4))]
