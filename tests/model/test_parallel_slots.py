"""Parallel shallow slots: a window in one pass, and the Markov head behind it."""

from dataclasses import replace

import pytest
import torch
from support.tiny_model import PARALLEL, make_adapter, make_shallow, make_target, make_tokenizer
from support.windows import conversation

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.model.config import ParallelConfig
from ptp_core.model.kernels.products import Int8Linear
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.shallow import shallow_hidden
from ptp_core.training.windows import WindowConfig, draw_windows


def drawn(model, length=5):
    row = conversation(model)
    return row, *draw_windows(model, [row], WindowConfig(length, 64), torch.Generator().manual_seed(0))


def hidden_of(model, batch, context):
    with torch.no_grad():
        return shallow_hidden(model, batch, context, "parallel")


def test_a_slot_knows_the_settled_token_and_by_the_markov_head_the_one_before_its_own(make_model):
    model = make_model()
    _, batch, context = drawn(model)
    base = hidden_of(model, batch, context)
    place = int(batch.starts[0, 3])

    def changed(offset):
        ids = batch.input_ids.clone()
        ids[0, place + offset] = 2 + (ids[0, place + offset] - 1) % 11
        found = hidden_of(model, replace(batch, input_ids=ids), context)[0, 3]
        return [not torch.allclose(a, b, atol=1e-5) for a, b in zip(found, base[0, 3], strict=True)]

    assert changed(0) == [True] * 4  # the settled token reaches all slots
    assert changed(1) == [False, True, False, False]  # a later one only the slot behind it
    assert changed(2) == [False, False, True, False]


def test_slots_are_told_the_temperature_and_no_u(make_model):
    model = make_model()
    _, batch, context = drawn(model)
    base = hidden_of(model, batch, context)
    assert torch.equal(hidden_of(model, replace(batch, own_u=1 - batch.own_u), context), base)
    assert not torch.allclose(
        hidden_of(model, replace(batch, temperature=batch.temperature + 0.4), context), base, atol=1e-4
    )
    assert not model.parallel.config.reads_u


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_drafting_gives_the_logits_of_training(make_model, count):
    """One pass and the Markov head give what windows of training give, but for rounding."""
    model = make_model()
    row, batch, context = drawn(model)
    width = max(count, 4)
    _, batch, context = row, *draw_windows(model, [row], WindowConfig(width + 1, 64), torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.parallel.logits(shallow_hidden(model, batch, context, "parallel"))
    for window in range(0, batch.starts.shape[1], 7):
        start = int(batch.starts[0, window])
        if start + count >= len(row.ids):
            continue
        with torch.inference_mode():
            cache = model.new_cache(len(row.ids) + 16)
            cache.copy_from(context, start)
            cache.keep(start)
            drafting = model.parallel.drafting(
                batch.settling[0, window], [0.5] * count, float(batch.temperature[0]), cache
            )
            for k in range(count):
                found = drafting.next(row.ids[start + k])[0]
                scale = expected[0, window, k].abs().max()
                assert (found - expected[0, window, k]).abs().max() < 0.05 * scale
        assert cache.length == start


def test_texts_are_the_autoregressive_ones_by_both_maps(make_model):
    model = make_model()
    for coupling in ("inverse_cdf", "gumbel"):
        sampling = SamplingConfig(0.9, coupling=coupling)
        for method in ("parallel_shallow", "parallel_shallow_lookup"):
            plain = generate(model, [3, 4, 5, 3, 4], "ar", NoiseTape(5), sampling, max_new_tokens=24)
            found = generate(model, [3, 4, 5, 3, 4], method, NoiseTape(5), sampling, max_new_tokens=24, draft_budget=4)
            assert found.tokens == plain.tokens
            assert any(step.drafts for step in found.steps)
            assert max(len(step.drafts) for step in found.steps) > 1


def test_what_does_not_fit_is_refused(make_model):
    with pytest.raises(ValueError, match="Markov head must lie"):
        ParallelConfig(markov=0)
    with pytest.raises(ValueError, match="parallel slots does not fit"):
        weights = make_shallow(replace(PARALLEL, markov=4))
        PTPModel(make_target(), make_tokenizer(), replace(make_adapter(), parallel=weights), name="tiny")
    with pytest.raises(ValueError, match="no parallel slots"):
        generate(make_model(parallel=None), [3], "parallel_shallow", max_new_tokens=3)


def test_products_in_eight_bits_are_left_to_sizes_that_the_kernel_reads_rightly():
    """Rows of other sizes than multiples of 16 made torch's kernel read past their end."""
    assert not Int8Linear.suits(torch.randn(32, 8))
    assert not Int8Linear.suits(torch.randn(32, 24))
