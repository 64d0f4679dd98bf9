"""A second adapter on the same target weights: it drafts as it would alone, and the first one notices nothing."""

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core import NoiseTape, generate
from ptp_core.model.ptp_model import PTPModel
from ptp_core.model.second_adapter import with_adapter

IDS, U = [3, 4, 5, 9], [0.1, 0.6, 0.3]


def build(adapter, quick):
    return PTPModel(make_target(), make_tokenizer(), adapter, name="tiny", quick=quick).eval()


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("chain", [0, 16])
def test_both_adapters_draft_as_they_would_alone(quick, chain):
    first = make_adapter(seed=1, chain=chain)
    second = make_adapter(seed=7, kind="blank", variant="independent", chain=chain, shallow=None)
    model, alone = build(first, quick), build(second, quick)
    before, text = model.draft_logits(IDS, U), model.target_logits(IDS)
    twin = with_adapter(model, second)
    with torch.inference_mode():
        assert torch.allclose(twin.draft_logits(IDS, U), alone.draft_logits(IDS, U), atol=1e-5)
        assert not torch.allclose(twin.draft_logits(IDS, U)[-1], before[-1], atol=1e-2), "the adapters differ"
        assert torch.equal(model.draft_logits(IDS, U), before)
        assert torch.equal(model.target_logits(IDS), text)
        assert torch.allclose(twin.target_logits(IDS), text, atol=1e-6)
    options = {"noise": NoiseTape(3), "max_new_tokens": 16, "draft_budget": 9}
    mine, theirs = (generate(each, IDS, "independent", **options) for each in (twin, alone))
    assert mine.tokens == theirs.tokens
    drafted = [[[d.token for d in s.drafts] for s in trace.steps] for trace in (mine, theirs)]
    assert drafted[0] == drafted[1]
    assert (twin.adapter.name, model.adapter.name) == ("tiny-7", "tiny-1")


@pytest.mark.parametrize("quick", [False, True])
def test_the_target_is_not_copied(quick):
    model = build(make_adapter(), quick)
    twin = with_adapter(model, make_adapter(seed=7, shallow=None))
    assert twin.target is model.target
    assert twin._head is model._head
    if quick:
        pairs = zip(model._fast._layers, twin._fast._layers, strict=True)
        assert all(a.qkv._base is b.qkv._base and a.qkv._delta is not b.qkv._delta for a, b in pairs)


def test_an_adapter_for_another_target_is_refused():
    with pytest.raises(ValueError, match="was trained for"):
        with_adapter(build(make_adapter(), True), make_adapter(target={"hidden_size": 64}))
