"""Shares of agreement against counting: real noise, dropped on both distributions."""

import pytest
import torch

from ptp_core import NoiseTape, pick
from ptp_core.coupling.gumbel import race
from ptp_core.coupling.noise_at import noise_from
from ptp_core.maps.agreement import RULES, agreement, by_quality, sharpened, synthetic_pairs
from ptp_core.sampling import Candidates

DRAWS = 20_000


def counted(p, q, rule):
    """The same share, counted over DRAWS numbers of a tape."""
    rows_p, rows_q = p.float().expand(DRAWS, -1), q.float().expand(DRAWS, -1)
    if rule == "argmax":
        u = torch.tensor(NoiseTape(1).values(0, DRAWS))
        return float((pick(rows_p, u) == q.argmax()).float().mean())
    if rule == "gumbel":
        tokens = torch.arange(p.shape[-1]).expand(DRAWS, -1)
        clocks = noise_from(NoiseTape(2), 0, len(tokens)).clocks(tokens)
        ends = [race(Candidates(tokens, rows, rows.cumsum(-1)), clocks).columns for rows in (rows_p, rows_q)]
        return float((ends[0] == ends[1]).float().mean())
    u = torch.tensor(NoiseTape(3).values(0, DRAWS))
    return float((pick(rows_p, u, rule) == pick(rows_q, u, rule)).float().mean())


@pytest.mark.parametrize("rule", ["argmax", "probability", "token_id", "gumbel"])
@pytest.mark.parametrize("noise", [0.3, 1.5])
def test_shares_are_what_counting_gives(rule, noise):
    """Within four standard errors: about one seed in 4,000 would fail for each of the eight."""
    p, q = synthetic_pairs(1, 8, 1.5, noise, seed=4)
    expected = counted(p[0], q[0], rule)
    share = float(agreement(p, q, rule))
    assert abs(share - expected) < 4 * (0.25 / DRAWS) ** 0.5
    other = float(agreement(p, q.flip(-1), rule))  # control: odds of other tokens
    assert abs(other - expected) > 4 * (0.25 / DRAWS) ** 0.5


def test_no_rule_beats_the_limit_and_gumbel_keeps_its_promise():
    p, q = synthetic_pairs(400, 12, 2.0, 1.0, seed=0)
    limit = agreement(p, q, "limit")
    for rule in RULES:
        if rule != "argmax":
            assert bool((agreement(p, q, rule) <= limit + 1e-9).all()), rule
    distance = 1 - limit
    assert bool((agreement(p, q, "gumbel") >= (1 - distance) / (1 + distance) - 1e-9).all())


@pytest.mark.parametrize("rule", RULES)
def test_a_perfect_draft_agrees_always_but_for_argmax(rule):
    p, _ = synthetic_pairs(50, 9, 1.0, 0.0, seed=1)
    share = agreement(p, p, rule)
    assert torch.allclose(share, p.amax(-1) if rule == "argmax" else torch.ones(50, dtype=torch.float64), atol=1e-6)


def test_tokens_that_one_side_rules_out_never_agree():
    p, q = torch.tensor([[0.5, 0.5, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.5, 0.5]])
    assert all(float(agreement(p, q, rule)) == 0 for rule in RULES)


def test_knowing_the_noise_pays_for_good_drafts_first():
    """What the exhibit says: with poor drafts argmax is as good as bins by probability, with good ones it is not."""
    pairs = [synthetic_pairs(300, 20, 2.0, noise, seed=2) for noise in (0.2, 0.6, 1.2, 2.5)]
    p, q = (torch.cat(part) for part in zip(*pairs, strict=True))
    found = by_quality(p, q, [0.0, 0.4, 0.6, 0.8, 0.9, 1.01])
    gains = [f.shares["probability"] - f.shares["argmax"] for f in found]
    assert sum(f.count for f in found) == 1200
    assert max(gains[:2]) < 0.02 and gains[-1] > 0.1
    assert all(f.shares["gumbel"] >= f.shares["probability"] for f in found)


def test_sharpening_keeps_a_distribution():
    p, _ = synthetic_pairs(3, 5, 1.0, 0.0, seed=3)
    assert torch.allclose(sharpened(p, 2.0).sum(-1), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(sharpened(p, 1.0), p)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="one of argmax"):
        agreement(torch.ones(1, 1), torch.ones(1, 1), "guess")
