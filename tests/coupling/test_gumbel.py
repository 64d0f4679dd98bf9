"""The Gumbel race: right frequencies, the promised agreement, and clocks that belong to their tokens."""

import numpy as np
import pytest
import torch

from ptp_core import NoiseTape, SamplingConfig
from ptp_core.coupling import NoiseAt, coupling_of
from ptp_core.coupling.gumbel import Finish, arrivals, race, winning_clocks
from ptp_core.coupling.noise_at import noise_from
from ptp_core.sampling import Candidates, candidates

GUMBEL = coupling_of(SamplingConfig(coupling="gumbel"))
DRAWS = 20_000
CRITICAL = {3: 21.11, 5: 25.74}  # chi-square with so many degrees of freedom exceeds this once in 10,000 runs


def draw_clocks(tape, first, tokens):
    return noise_from(tape, first, len(tokens)).clocks(tokens)


def as_candidates(probs, rows=1):
    row = torch.tensor(probs, dtype=torch.float32).expand(rows, -1)
    tokens = torch.arange(len(probs)).expand(rows, -1)
    return Candidates(tokens, row, row.cumsum(-1))


def chi_square(found, probs):
    counts = np.bincount(found, minlength=len(probs))
    expected = np.asarray(probs) * len(found)
    return float(((counts - expected) ** 2 / expected)[np.asarray(probs) > 0].sum())


@pytest.mark.parametrize("probs", [(0.5, 0.25, 0.15, 0.1), (0.02, 0.03, 0.05, 0.1, 0.2, 0.6)], ids=["four", "six"])
def test_tokens_come_with_their_probability(probs):
    """Fails once in 10,000 seeds; this seed is fixed. A race on slightly other odds is the control."""
    found = as_candidates(probs, DRAWS)
    clocks = draw_clocks(NoiseTape(11), 0, found.tokens)
    right = chi_square(race(found, clocks).columns.numpy(), probs)
    bent = chi_square(race(found, clocks, sharpness=1.1).columns.numpy(), probs)
    assert right < CRITICAL[len(probs) - 1] < bent


@pytest.mark.parametrize("mix", [0.05, 0.2, 0.5])
def test_drafts_agree_as_often_as_promised(mix):
    """At least (1 - TV) / (1 + TV), and at most 1 - TV: within four standard errors."""
    target = np.array([0.5, 0.25, 0.15, 0.1])
    draft = (1 - mix) * target + mix * target[::-1]
    distance = 0.5 * np.abs(target - draft).sum()
    p, q = as_candidates(target, DRAWS), as_candidates(draft, DRAWS)
    clocks = draw_clocks(NoiseTape(5), 0, p.tokens)
    agree = float((race(p, clocks).columns == race(q, clocks).columns).float().mean())
    error = 4 * np.sqrt(0.25 / DRAWS)
    assert (1 - distance) / (1 + distance) - error < agree < 1 - distance + error
    other = draw_clocks(NoiseTape(6), 0, p.tokens)  # control: noise of its own
    assert float((race(p, clocks).columns == race(q, other).columns).float().mean()) < agree - 0.1


def test_a_clock_belongs_to_its_token_and_position():
    tape, tokens = NoiseTape(3), torch.tensor([[7, 2, 40_000], [2, 7, 1]])
    clocks = draw_clocks(tape, 10, tokens)
    assert float(clocks[0, 1]) == tape.clocks(10, 2) and float(clocks[1, 0]) == tape.clocks(11, 2)
    assert len({round(float(c), 9) for c in clocks.flatten()}) == 6
    assert tape.clocks(10, 2) != NoiseTape(4).clocks(10, 2)


def test_clocks_are_uniform_and_never_at_the_ends():
    drawn = NoiseTape(9).clocks(np.arange(200)[:, None], np.arange(100))
    assert drawn.min() > 0 and drawn.max() < 1
    counts = np.histogram(drawn, bins=6, range=(0, 1))[0]
    assert float(((counts - drawn.size / 6) ** 2 / (drawn.size / 6)).sum()) < CRITICAL[5]
    assert np.array_equal(drawn.astype(np.float32).astype(np.float64), drawn)


def test_a_clock_can_be_moved_and_is_kept_in_json():
    tape = NoiseTape(3).with_clock(4, 17, 0.25).with_value(2, 0.5)
    assert tape.clocks(4, 17) == 0.25 and tape.clocks(4, 18) == NoiseTape(3).clocks(4, 18)
    assert tape.clocks(5, 17) == NoiseTape(3).clocks(5, 17) and tape[2] == 0.5
    assert NoiseTape.from_json(tape.to_json()) == tape
    assert "clock_edits" not in NoiseTape(3).to_json()


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan"), 1 - 1e-12])
def test_a_clock_lies_between_0_and_1(value):
    with pytest.raises(ValueError, match="between 0 and 1"):
        NoiseTape(0).with_clock(0, 0, value)


def test_filtered_tokens_never_win():
    logits = torch.tensor([[2.0, 1.0, 0.5, -1.0]]).expand(500, -1)
    found = candidates(logits, SamplingConfig(1.0, 2, 1.0))
    full = Candidates(torch.arange(4).expand(500, -1), found.dense(4), found.dense(4).cumsum(-1))
    finish = race(full, draw_clocks(NoiseTape(1), 0, full.tokens))
    assert set(finish.columns.tolist()) == {0, 1}


def test_the_order_of_candidates_does_not_matter():
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    picked = []
    for order in ("probability", "token_id"):
        found = candidates(logits, SamplingConfig(0.8, 10, 0.9, order))
        columns = race(found, draw_clocks(NoiseTape(2), 0, found.tokens)).columns
        picked.append(found.tokens.gather(1, columns[:, None]))
    assert torch.equal(*picked)


def test_the_number_at_which_the_winner_loses():
    found = as_candidates((0.5, 0.3, 0.2))
    tape = NoiseTape(8)
    clocks = draw_clocks(tape, 0, found.tokens)
    finish = race(found, clocks)
    winner = int(finish.columns)
    edge = float(winning_clocks(arrivals(found.probs, clocks)[0], found.probs[0])[winner])
    for value, wins in ((edge * 1.001, True), (edge * 0.999, False)):
        moved = draw_clocks(tape.with_clock(0, winner, value), 0, found.tokens)
        assert (int(race(found, moved).columns) == winner) is wins


def test_a_single_candidate_wins_alone():
    found = as_candidates((1.0,))
    finish = race(found, draw_clocks(NoiseTape(0), 0, found.tokens))
    assert isinstance(finish, Finish) and int(finish.columns) == 0 and float(finish.lead) == 1.0
    assert float(winning_clocks(torch.tensor([1.0]), torch.tensor([1.0]))[0]) == 0.0
    assert GUMBEL.stay(found, 0, NoiseTape(0), 0).margin is None


def test_a_stay_tells_for_every_clock_when_its_token_wins():
    found = as_candidates((0.4, 0.3, 0.2, 0.1))
    changes = 0
    for seed in range(40):
        tape = NoiseTape(seed)
        column = int(GUMBEL.columns(found, NoiseAt(tape, [3])))
        stay = GUMBEL.stay(found, column, tape, 3)
        assert stay.left <= stay.number < stay.right == 1.0 and stay.margin > 0
        for j, edge in enumerate(stay.lefts.tolist()):
            for value, wins in ((edge + 1e-4, True), (edge - 1e-4, False)):
                if 1e-6 < value < 1 - 1e-6:
                    moved = int(GUMBEL.columns(found, NoiseAt(tape.with_clock(3, j, value), [3])))
                    assert (moved == j) is wins
                    changes += moved != column
    assert changes > 50


def test_two_answers_of_one_clock():
    found = as_candidates((0.5, 0.3, 0.2))
    for seed in range(10):
        tape = NoiseTape(seed)
        (other, _, _, edge), (token, length, left, right) = GUMBEL.answers(found, tape, 0, 1, 10)
        assert token == 1 != other and edge == left and right == 1.0 and length == pytest.approx(1 - edge)
        for value in (edge / 2, (1 + edge) / 2):
            picked = int(GUMBEL.columns(found, NoiseAt(tape.with_clock(0, 1, value), [0])))
            assert picked == (other if value < edge else token)
    assert len(GUMBEL.answers(found, NoiseTape(0), 0, 9, 10)) == 1  # a token that does not run


def test_a_draft_with_the_targets_odds_always_agrees():
    probs = torch.tensor([0.4, 0.3, 0.2, 0.1])
    found = as_candidates(probs.tolist(), 200)
    noise = noise_from(NoiseTape(4), 0, 200)
    drafts = GUMBEL.read(probs.log().expand(200, -1), noise, "probability", 1.0, None)
    assert [token for token, _, _ in drafts] == GUMBEL.columns(found, noise).tolist()
    assert all(0 < margin <= 1 for _, _, margin in drafts)


def test_a_smaller_vocabulary_runs_with_its_tokens_clocks():
    logits, vocabulary = (
        torch.randn(60, 5, generator=torch.Generator().manual_seed(1)),
        torch.tensor([3, 8, 40, 41, 90]),
    )
    noise = noise_from(NoiseTape(4), 0, 60)
    small = GUMBEL.read(logits, noise, "probability", 1.0, vocabulary)
    whole = torch.full((60, 100), -1e9).index_copy(1, vocabulary, logits)
    assert [t for t, _, _ in small] == [t for t, _, _ in GUMBEL.read(whole, noise, "probability", 1.0, None)]
