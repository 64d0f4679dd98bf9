"""Captured steps, on a graph that is emulated: a replay runs the same operations on the same memory and no Python."""

import pytest
import torch
from support.emulated_graph import emulated_graph
from support.exactness import prompt_of

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.engine.engine import Engine
from ptp_core.engine.graphs import Replayed
from ptp_core.sampling import _sorted_by_keys

from .conftest import build


@pytest.mark.parametrize("coupling", ["inverse_cdf", "gumbel"])
@pytest.mark.parametrize("chain", [0, 16], ids=["alone", "chained"])
def test_replays_give_the_same_texts_and_drafts(monkeypatch, make_pair, coupling, chain):
    monkeypatch.setattr("ptp_core.sampling._sorted", _sorted_by_keys)  # as on a GPU: without a look at the values
    plain = make_pair(chain=chain)[0]
    model, captures = build(torch.float32, True, 128, chain=chain), []

    def capture(function):
        captures.append(function)
        return emulated_graph(function)

    model.engine = Engine(model, capture)
    accepted = 0
    for seed in range(3):
        for method in ("ar", "pqd"):
            options = {
                "noise": NoiseTape(seed), "sampling": SamplingConfig(0.7, 8, 0.95, coupling=coupling),
                "max_new_tokens": 20, "draft_budget": 9,
            }  # fmt: skip
            expected = generate(plain, prompt_of(seed), method, **options)
            found = generate(model, prompt_of(seed), method, **options)
            assert found.tokens == expected.tokens
            assert [s.num_accepted for s in found.steps] == [s.num_accepted for s in expected.steps]
            accepted += sum(s.num_accepted for s in found.steps)
    assert accepted > 1
    assert len(captures) == 4, "once: the network, reading a prompt, and what follows in each of two kinds of run"


def test_an_emulated_graph_replays_operations_and_nothing_else():
    buffer, seen = torch.zeros(2), []

    def function():
        seen.append(1)
        return (buffer + 1).view(2, 1) * 2

    run = Replayed(function, emulated_graph)
    first = run()
    buffer.fill_(5)
    assert run() is first
    assert first.flatten().tolist() == [12, 12]
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="look at a value"):
        Replayed(lambda: bool(buffer[0] > 1), emulated_graph)()
