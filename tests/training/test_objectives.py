import pytest
import torch
from support.training_runs import config, losses, stop_after

from ptp_core import NoiseTape, SamplingConfig, generate, load_adapter, load_model
from ptp_core.training.train import train


def test_the_u_blind_baseline_trains_with_the_same_code(folders, tmp_path):
    train(config(folders, tmp_path / "blind", variant="independent", u_embedding="blank", steps=4))
    adapter = load_adapter(tmp_path / "blind" / "adapter")
    assert not adapter.config.reads_u
    model = load_model(folders / "model", tmp_path / "blind" / "adapter")
    trace = generate(model, [3, 4], "independent", NoiseTape(1), max_new_tokens=8, draft_budget=6)
    assert not [n for n in trace.notes if "trained to read u" in n]


def test_a_start_from_another_adapter(folders, tmp_path):
    train(config(folders, tmp_path / "first", steps=4))
    train(config(folders, tmp_path / "second", steps=2, init=str(tmp_path / "first" / "adapter"), variant="c-ptp"))
    assert load_adapter(tmp_path / "second" / "adapter").config.variant == "c-ptp"


def test_shallow_slots_are_added_to_an_adapter(folders, tmp_path):
    """Nothing else of it changes; a cut run is the uninterrupted one; a further run goes on from what is there."""
    train(config(folders, tmp_path / "deep", steps=2))
    deep = load_adapter(tmp_path / "deep" / "adapter")
    slots = {"objective": "shallow", "init": str(tmp_path / "deep" / "adapter"), "depth": 1, "vocabulary": 9}
    result = train(config(folders, tmp_path / "whole", **slots))
    adapter = load_adapter(tmp_path / "whole" / "adapter")
    assert adapter.config.shallow.vocabulary == 9
    assert adapter.config.shallow.evaluation["held_out"]["tokens_per_call"] >= result.tokens_per_call  # the best
    assert adapter.config.shallow.training["objective"] == "shallow"
    assert (adapter.config.window, adapter.config.draft_run) == (deep.config.window, deep.config.draft_run)
    assert all(torch.equal(adapter.lora[name][1], b) for name, (_, b) in deep.lora.items())
    (tmp_path / "parts").mkdir()
    stop_after(folders, tmp_path / "parts", 7, **slots)
    train(config(folders, tmp_path / "parts", **slots))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    again = load_adapter(tmp_path / "parts" / "adapter")
    assert all(torch.equal(again.shallow[name], tensor) for name, tensor in adapter.shallow.items())
    further = {**slots, "init": str(tmp_path / "whole" / "adapter"), "depth": 2, "vocabulary": 5}
    train(config(folders, tmp_path / "further", steps=2, **further))
    found = load_adapter(tmp_path / "further" / "adapter")
    assert (found.config.shallow.depth, found.config.shallow.vocabulary) == (1, 9)  # those that are there
    assert torch.equal(found.shallow["vocabulary"], adapter.shallow["vocabulary"])
    model = load_model(folders / "model", tmp_path / "further" / "adapter")
    shallow = generate(model, [3, 4], "shallow", NoiseTape(1), max_new_tokens=12, draft_budget=3)
    assert shallow.tokens == generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=12).tokens
    with pytest.raises(ValueError, match="name it with init"):
        train(config(folders, tmp_path / "none", objective="shallow"))


def test_slots_that_draft_at_once_begin_as_the_adapters_shallow_ones(folders, tmp_path):
    """They learn beside it: nothing else of the adapter changes. They are told the temperature, and no u."""
    train(config(folders, tmp_path / "deep", steps=2))
    shallow = {"objective": "shallow", "init": str(tmp_path / "deep" / "adapter"), "depth": 1, "vocabulary": 9}
    train(config(folders, tmp_path / "shallow", steps=3, **shallow))
    before = load_adapter(tmp_path / "shallow" / "adapter")
    asked = {"objective": "parallel", "init": str(tmp_path / "shallow" / "adapter"), "u_embedding": "temperature"}
    first = train(config(folders, tmp_path / "still", steps=1, learning_rate=1e-12, markov=8, **asked))
    still = load_adapter(tmp_path / "still" / "adapter")
    assert torch.allclose(still.parallel["deltas.0.down.B"].float(), before.shallow["deltas.0.down.B"].float())
    assert torch.equal(still.parallel["vocabulary"], before.shallow["vocabulary"])
    result = train(config(folders, tmp_path / "run", steps=60, learning_rate=1e-2, markov=8, **asked))
    adapter = load_adapter(tmp_path / "run" / "adapter")
    assert result.even > first.even + 0.2
    assert (adapter.config.parallel.depth, adapter.config.parallel.vocabulary) == (1, 9)
    assert not adapter.config.parallel.reads_u and adapter.config.parallel.training["loss"] == ""
    assert all(torch.equal(adapter.shallow[name], tensor) for name, tensor in before.shallow.items())
    model = load_model(folders / "model", tmp_path / "run" / "adapter")
    for coupling in ("inverse_cdf", "gumbel"):
        sampling = SamplingConfig(coupling=coupling)
        found = generate(model, [3, 4], "parallel_shallow", NoiseTape(1), sampling, max_new_tokens=12, draft_budget=3)
        assert found.tokens == generate(model, [3, 4], "ar", NoiseTape(1), sampling, max_new_tokens=12).tokens


def test_slots_that_draft_at_once_need_no_shallow_ones(folders, tmp_path):
    train(config(folders, tmp_path / "deep", steps=2))
    asked = {"objective": "parallel", "init": str(tmp_path / "deep" / "adapter"), "depth": 1, "vocabulary": 7}
    train(config(folders, tmp_path / "run", steps=2, **asked))
    first = load_adapter(tmp_path / "run" / "adapter")
    found = first.config
    assert found.shallow is None
    for window in (6, 2):  # from there on with more places, and with fewer
        again = {"objective": "parallel", "init": str(tmp_path / "run" / "adapter"), "window": window}
        train(config(folders, tmp_path / f"run{window}", steps=1, learning_rate=1e-12, **again))
        masks = load_adapter(tmp_path / f"run{window}" / "adapter").parallel["masks"]
        assert len(masks) == window - 1
        assert torch.equal(masks[-1], first.parallel["masks"][min(window - 2, 2)])
    assert (found.parallel.vocabulary, found.parallel.reads_u) == (7, True)  # told u, if one asks for it


def test_training_without_a_teacher(folders, tmp_path):
    train(config(folders, tmp_path / "run", variant="c-ptp", objective="inverse", steps=6, start_slot=True))
    adapter = load_adapter(tmp_path / "run" / "adapter")
    assert adapter.config.start_slot
    assert adapter.config.training["objective"] == "inverse"
    model = load_model(folders / "model", tmp_path / "run" / "adapter")
    texts = [generate(model, [3, 4], m, NoiseTape(1), max_new_tokens=12, **b).tokens
             for m, b in (("ar", {}), ("pqd", {"draft_budget": 8}))]  # fmt: skip
    assert texts[0] == texts[1]


def test_an_adapter_gains_a_chain_head_or_loses_its_u(folders, tmp_path):
    train(config(folders, tmp_path / "first", steps=2))
    first = str(tmp_path / "first" / "adapter")
    result = train(config(folders, tmp_path / "chained", steps=3, init=first, chain=8, chain_rate=2.0))
    chained = load_adapter(tmp_path / "chained" / "adapter")
    assert chained.config.chain == 8
    assert float(chained.chain["outer.weight"].abs().sum()) > 0, "the chain head was not trained"
    assert result.without_chain is not None

    blind = {"variant": "independent", "u_embedding": "blank"}
    train(config(folders, tmp_path / "blind", steps=2, init=first, **blind))
    adapter = load_adapter(tmp_path / "blind" / "adapter")
    assert not adapter.config.reads_u
    assert set(adapter.u_embed) == {"vector"}
    with pytest.raises(ValueError, match="Chain head"):
        train(config(folders, tmp_path, objective="inverse", variant="c-ptp", chain=8))
