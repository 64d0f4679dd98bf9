"""The chain head: drafts that are told their predecessors."""

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core.model.chain_head import ChainHead, PackedChain
from ptp_core.model.ptp_model import PTPModel


def test_the_chain_reads_its_predecessors_and_the_settling_state(make_model):
    model = make_model(chain=16)
    draw = torch.Generator().manual_seed(0)
    slots, settling = torch.randn(2, 3, 32, generator=draw)
    before = torch.tensor([[2, 3], [4, 5], [6, 7]])
    base = model.chain_logits(slots, before, settling)
    for changed in (
        model.chain_logits(slots, before.clone().index_fill_(1, torch.tensor([0]), 9), settling),
        model.chain_logits(slots, before.clone().index_fill_(1, torch.tensor([1]), 9), settling),
        model.chain_logits(slots, before, settling.flip(0)),
        model.chain_logits(slots.flip(0), before, settling),
    ):
        assert not torch.allclose(changed[0], base[0], atol=1e-3)


def test_a_fresh_chain_changes_nothing(make_model):
    chain, model = ChainHead(32, 16), make_model()
    slots = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(chain(slots, torch.randn(4, 2, 32), torch.randn(4, 32)), slots)
    with pytest.raises(ValueError, match="no chain head"):
        model.chained(slots, torch.zeros(4, 2, dtype=torch.long), slots)


def test_the_packed_chain_says_nearly_the_same(make_model):
    model = make_model(chain=16)
    draw = torch.Generator().manual_seed(2)
    slots, settling = torch.randn(2, 40, 32, generator=draw)
    before = torch.randint(2, 13, (40, 2), generator=draw)
    with torch.inference_mode():
        exact = model.logits(model.chained(slots, before, settling))
        packed = PackedChain(model.chain, model.target.lm_head)(slots, model._embed(before), settling)
    assert torch.allclose(packed, exact, atol=0.05 * float(exact.abs().max()))
    assert (packed.argmax(-1) == exact.argmax(-1)).float().mean() > 0.9


def test_a_chain_of_another_width_is_refused():
    adapter = make_adapter(chain=16)
    wrong = type(adapter)(adapter.config, adapter.lora, adapter.u_embed, "", make_adapter(chain=8).chain)
    with pytest.raises(ValueError, match="chain head does not fit"):
        PTPModel(make_target(), make_tokenizer(), wrong)
