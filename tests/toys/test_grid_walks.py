import pytest
import torch

from ptp_core.sampling import pick
from ptp_core.toys.grid_walks import SequenceConfig, SequenceModel, make_walk, run_sequence, train_sequence


def test_the_walks_perplexity_by_counting():
    walk = make_walk()
    walks = walk.sample(40_000, 3, torch.Generator().manual_seed(0))
    logs = walk.first[walks[:, 0]].log()
    logs = logs + walk.step[walks[:, 0], walks[:, 1]].log() + walk.step[walks[:, 1], walks[:, 2]].log()
    assert walk.perplexity(3) == pytest.approx(float((-logs.mean() / 3).exp()), rel=0.01)
    assert walk.independent_perplexity(3) > 1.08 * walk.perplexity(3)


def test_what_the_inverse_model_reads_is_noise_alone():
    """Its u's are the text under its own distributions: the tokens come back, and nothing else went in."""
    torch.manual_seed(0)
    model, walk = SequenceModel("inverse", 4), make_walk()
    walks = walk.sample(64, 4, torch.Generator().manual_seed(1))
    with torch.no_grad():
        u = model.read(walks, torch.Generator().manual_seed(2))
        probs = model(u).softmax(-1)
    for k in range(3):
        assert torch.equal(pick(probs[:, k], u[:, k], "token_id"), walks[:, k])
    assert u.shape == (64, 3)
    assert 0.2 < u.mean() < 0.8


@pytest.mark.slow
def test_inverse_autoregressive_training_reaches_an_autoregressive_model():
    """Walks of two symbols; within 2 % of the same network trained autoregressively."""
    plain = train_sequence(SequenceConfig("autoregressive", length=2, steps=400))
    inverse = train_sequence(SequenceConfig("inverse", length=2, steps=600))
    assert plain.perplexity == pytest.approx(make_walk().perplexity(2), rel=0.02)
    assert inverse.perplexity < 1.02 * plain.perplexity
    assert inverse.perplexity < 0.96 * make_walk().independent_perplexity(2)


@pytest.mark.slow
def test_inverse_autoregressive_training_on_longer_walks():
    """Walks of three symbols."""
    plain = train_sequence(SequenceConfig("autoregressive", steps=600))
    inverse = train_sequence(SequenceConfig("inverse", steps=1500))
    assert inverse.perplexity < 1.02 * plain.perplexity
    assert inverse.perplexity < 0.95 * make_walk().independent_perplexity(3)


def test_sequence_runs_report_as_they_go():
    seen = list(run_sequence(SequenceConfig("autoregressive", steps=30, measure_every=10)))
    assert [step.step for step in seen] == [10, 20, 30]
    assert seen[-1].perplexity < seen[0].perplexity
    with pytest.raises(ValueError, match="mode"):
        SequenceModel("sideways", 3)
