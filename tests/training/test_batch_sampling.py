import pytest
import torch

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.training import batch_sampling
from ptp_core.training.batch_sampling import Request, complete


@pytest.mark.parametrize("at_once", [2048, 16])
def test_batched_continuations_are_those_of_one_by_one(make_model, monkeypatch, at_once):
    monkeypatch.setattr(batch_sampling, "_CPU_ROWS", at_once)
    model = make_model(adapter=False, context=128)
    prompts = [[3], [4, 5, 6, 7, 8, 9], [2, 2, 2], [10, 11, 12, 3, 4, 5, 6, 7, 8, 9, 2]]
    raced = SamplingConfig(1.0, coupling="gumbel")
    samplings = [SamplingConfig(), SamplingConfig(0), SamplingConfig(1.0, 5, 0.9), raced]
    requests = [Request(p, s, 10 + 3 * i, 40 + i) for i, (p, s) in enumerate(zip(prompts, samplings, strict=True))]
    for batch_size in (1, 2, 4):
        found = complete(model, requests, batch_size)
        for request, tokens in zip(requests, found, strict=True):
            noise = NoiseTape(request.seed)
            alone = generate(model, request.prompt, "ar", noise, request.sampling, max_new_tokens=request.limit)
            assert tokens == alone.tokens


def test_without_stop_no_text_ends_early(make_model):
    model = make_model(adapter=False)
    found = complete(model, [Request([3, 4], SamplingConfig(2.0, 0, 1), 40, i) for i in range(6)], 6, stop=False)
    assert all(len(tokens) == 40 and 0 not in tokens for tokens in found)


def test_padding_leaks_nothing(make_model):
    """A row's text is the same whatever stands beside it in the batch."""
    model = make_model(adapter=False)
    request = Request([5, 6, 7], SamplingConfig(), 12, 9)
    longer = Request([8] * 40, SamplingConfig(), 12, 10)
    assert complete(model, [request, longer], 2)[0] == complete(model, [request], 1)[0]
    assert torch.is_inference_mode_enabled() is False
