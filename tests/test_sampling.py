import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptp_core import SamplingConfig, bin_edges, pick, warp
from ptp_core.sampling import ORDERS, candidates

PLAIN = SamplingConfig(temperature=1, top_k=0, top_p=1)


def logits_of(*probabilities):
    return torch.tensor([probabilities]).log()


# ---- hand-made cases ------------------------------------------------------------------------------


def test_warp_by_hand():
    logits = logits_of(0.4, 0.3, 0.2, 0.1)
    assert torch.allclose(warp(logits, PLAIN), torch.tensor([[0.4, 0.3, 0.2, 0.1]]))
    top2 = warp(logits, SamplingConfig(1, 2, 1))
    assert torch.allclose(top2, torch.tensor([[4 / 7, 3 / 7, 0, 0]]))
    cold = warp(logits, SamplingConfig(0.5, 0, 1))
    assert torch.allclose(cold, torch.tensor([[16, 9, 4, 1]]) / 30)


def test_top_p_keeps_a_token_if_less_than_p_comes_before_it():
    logits = logits_of(0.5, 0.25, 0.125, 0.125)
    kept = [int((warp(logits, SamplingConfig(1, 0, p)) > 0).sum()) for p in (0.4, 0.5, 0.51, 0.75, 0.76, 1)]
    assert kept == [1, 1, 2, 2, 3, 4]


def test_top_p_after_top_k_is_renormalised_unless_the_filter_is_the_reference():
    logits = logits_of(0.4, 0.2, 0.2, 0.2)
    standard = warp(logits, SamplingConfig(1, 2, 0.6))  # 0.4 of 0.6 come before the second token
    reference = warp(logits, SamplingConfig(1, 2, 0.6, filter="reference"))
    assert int((standard > 0).sum()) == 1
    assert int((reference > 0).sum()) == 2
    assert standard[0, 0] == 1
    assert torch.allclose(reference, torch.tensor([[2 / 3, 1 / 3, 0, 0]]))


def test_ties_go_to_the_lower_id():
    logits = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0]])
    assert warp(logits, SamplingConfig(1, 2, 1))[0].nonzero().flatten().tolist() == [1, 2]
    assert warp(logits, SamplingConfig(0, 0, 1))[0].tolist() == [0, 1, 0, 0, 0]
    assert pick(logits.softmax(-1), 0.0).tolist() == [1]


def test_pick_and_edges_by_hand_in_both_orders():
    probs = torch.tensor([0.25, 0.5, 0.0, 0.25])
    assert [int(pick(probs, u)) for u in (0, 0.49, 0.5, 0.74, 0.75, 0.99)] == [1, 1, 0, 0, 3, 3]
    assert [int(pick(probs, u, "token_id")) for u in (0, 0.24, 0.25, 0.74, 0.75, 0.99)] == [0, 0, 1, 1, 3, 3]
    assert [float(e) for e in bin_edges(probs, 0)] == [0.5, 0.75]
    assert [float(e) for e in bin_edges(probs, 0, "token_id")] == [0, 0.25]
    assert [float(e) for e in bin_edges(probs, 3, "token_id")] == [0.75, 1]


def test_greedy_is_one_token_over_the_whole_interval():
    found = candidates(torch.tensor([[0.0, 3.0, 1.0]]), SamplingConfig(temperature=0))
    assert found.tokens.tolist() == [[1]]
    assert found.right.tolist() == [[1.0]]


def test_shapes_are_kept():
    logits = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    probs = warp(logits, SamplingConfig())
    u = torch.rand(2, 3, generator=torch.Generator().manual_seed(1))
    tokens = pick(probs, u)
    left, right = bin_edges(probs, tokens)
    assert probs.shape == logits.shape
    assert tokens.shape == left.shape == u.shape
    assert ((left <= u) & (u < right)).all()


# ---- properties -----------------------------------------------------------------------------------

SAMPLING = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0, 3.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 50, 4000]),
    top_p=st.sampled_from([0.01, 0.5, 0.95, 0.999, 1.0]),
    order=st.sampled_from(ORDERS),
    filter=st.sampled_from(["standard", "reference"]),
)


def random_logits(seed, rows, vocab):
    return 3 * torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=150, deadline=None)
@given(SAMPLING, st.integers(0, 10_000), st.sampled_from([2, 7, 60, 1500]))
def test_warp_sums_to_one_and_keeps_the_ranking(sampling, seed, vocab):
    logits = random_logits(seed, 3, vocab)
    probs = warp(logits, sampling)
    assert torch.allclose(probs.sum(-1), torch.ones(3), atol=1e-5)
    support = probs > 0
    assert (logits.masked_fill(~support, math.inf).amin(-1) >= logits.masked_fill(support, -math.inf).amax(-1)).all()


@settings(max_examples=150, deadline=None)
@given(SAMPLING, st.integers(0, 10_000), st.sampled_from([2, 7, 60, 1500]))
def test_the_middle_of_every_bin_picks_its_token(sampling, seed, vocab):
    probs = warp(random_logits(seed, 1, vocab), sampling).expand(vocab, -1)
    tokens = torch.arange(vocab)
    left, right = bin_edges(probs, tokens, sampling.order)
    middle = (left + right) / 2
    inside = (probs[0] > 0) & (left <= middle) & (middle < right)  # thinner than float32: no u reaches it
    assert inside[probs[0] > 1e-6].all()
    assert (pick(probs[inside], middle[inside], sampling.order) == tokens[inside]).all()
    assert float(right.max()) == 1.0
    assert float(left[probs[0] > 0].min()) == 0.0


@settings(max_examples=60, deadline=None)
@given(SAMPLING, st.integers(0, 10_000))
def test_the_shortlist_agrees_with_the_full_distribution(sampling, seed):
    logits = random_logits(seed, 4, 3000) / 2
    u = torch.rand(4, generator=torch.Generator().manual_seed(seed))
    short, full = candidates(logits, sampling, full=False), candidates(logits, sampling)
    columns = short.find(u)
    for row in range(4):
        if columns[row] == short.tokens.shape[1]:
            assert not short.complete
            continue
        assert short.tokens[row, columns[row]] == full.tokens[row, full.find(u)[row]]
        assert short.right[row, columns[row]] == full.right[row, full.find(u)[row]]


@settings(max_examples=60, deadline=None)
@given(SAMPLING, st.integers(0, 10_000))
def test_candidates_agree_with_pick_on_dense_probabilities(sampling, seed):
    logits = random_logits(seed, 3, 40)
    u = torch.rand(3, generator=torch.Generator().manual_seed(seed))
    found = candidates(logits, sampling)
    tokens = found.tokens.gather(1, found.find(u)[:, None]).squeeze(1)
    edges = torch.cat([found.left, found.right], 1)
    if (edges - u[:, None]).abs().min() > 1e-6:  # summation order may move an edge by a rounding error
        assert tokens.tolist() == pick(warp(logits, sampling), u, sampling.order).tolist()


# ---- statistics -----------------------------------------------------------------------------------

CHI_SQUARE_999 = {7: 24.32}  # 0.999 quantile for 7 degrees of freedom: a correct pick fails 1 seed in 1000


def chi_square(tokens, probs):
    expected = probs * len(tokens)
    assert (expected >= 5).all(), "the test would pass vacuously"
    observed = torch.bincount(tokens, minlength=len(probs)).float()
    return float(((observed - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("order", ORDERS)
def test_picked_frequencies_are_the_probabilities(order):
    probs = warp(random_logits(4, 1, 8) / 3, PLAIN)[0]
    u = torch.rand(20_000, generator=torch.Generator().manual_seed(5))
    tokens = pick(probs.expand(20_000, -1), u, order)
    assert chi_square(tokens, probs) < CHI_SQUARE_999[7]
    skewed = pick(probs.expand(20_000, -1), u**1.05, order)  # negative control: slightly wrong noise is noticed
    assert chi_square(skewed, probs) > CHI_SQUARE_999[7]


# ---- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings_",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": "hot"},
        {"top_k": -1},
        {"top_k": 2.5},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_p": float("nan")},
        {"order": "alphabetical"},
        {"filter": "other"},
    ],
)
def test_settings_out_of_range_are_refused_with_a_sentence(settings_):
    with pytest.raises(ValueError, match=r"\.$"):
        SamplingConfig(**settings_)


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        warp(torch.tensor([[1.0, float("nan")]]), PLAIN)


@pytest.mark.parametrize("u", [-0.1, 1.0, float("nan")])
def test_a_u_outside_the_interval_is_refused(u):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        pick(torch.tensor([0.5, 0.5]), u)


def test_extreme_temperatures_do_not_overflow():
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    assert warp(logits, SamplingConfig(1e-6, 0, 1)).tolist() == [[1, 0, 0]]
    assert torch.isfinite(warp(logits, SamplingConfig(100, 0, 1))).all()
    for tiny in (1e-300, 5e-324):  # 0 in float32
        assert warp(logits, SamplingConfig(tiny, 0, 1)).tolist() == [[1, 0, 0]]
        assert warp(logits, SamplingConfig(1.0, 2, tiny)).tolist() == [[1, 0, 0]]
