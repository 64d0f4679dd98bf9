import random

import pytest

from ptp_core.training.conversations import Conversation, load_conversations, split_held_out
from ptp_core.training.writing import DataRecipe, generate_shard


def test_held_out_conversations_stay_held_out_when_more_come(writer):
    rows = generate_shard(writer, DataRecipe(seed=1, shard_size=60, max_prompt=900), 0)
    few, many = split_held_out(rows[:20], 0.3), split_held_out(rows, 0.3)
    assert all(row in many[1] for row in few[1])
    assert many[1]
    assert sum(row in rows for row in (*many[0], *many[1])) == len(many[0]) + len(many[1]) <= len(rows)


def test_what_shares_a_passage_with_a_held_out_conversation_is_not_trained_on():
    draw = random.Random(0)
    template, passage = list(range(40)), [draw.randrange(1000) for _ in range(60)]

    def row(text):
        own = [draw.randrange(1000) for _ in range(50)]
        return Conversation([*template, *own[:25], *text, *own[25:], 7, 7], 40 + 50 + len(text))

    sharing, others = [row(passage) for _ in range(60)], [row([]) for _ in range(60)]
    short = [row(passage[:24]) for _ in range(60)]
    training, held_out = split_held_out([*sharing, *others, *short], 0.3)
    assert any(r in held_out for r in sharing)
    assert not any(r in training for r in sharing)
    assert all((r in training) != (r in held_out) for r in (*others, *short))  # the template or 24 tokens are no text


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_out_is_what_looking_at_every_pair_finds(seed):
    draw = random.Random(seed)
    passages = [draw.choices(range(50), k=40) for _ in range(6)]
    rows = []
    for _ in range(60):
        middle = draw.choice(passages)[: draw.choice((0, 31, 32, 40))]
        prompt = [7, 7, *draw.choices(range(50), k=draw.randint(0, 9)), *middle, *draw.choices(range(50), k=3)]
        rows.append(Conversation(prompt + draw.choices(range(50), k=5), len(prompt)))
    training, held_out = split_held_out(rows, 0.1)

    def runs(row):
        return {tuple(row.ids[i : i + 32]) for i in range(2, row.p - 31)}  # behind what all prompts begin with

    theirs = set().union(*(runs(row) for row in held_out))
    expected = [row for row in rows if row not in held_out and not runs(row) & theirs]
    assert training == expected
    assert held_out
    assert 0 < len(training) < len(rows) - len(held_out)


def test_nothing_splits_into_nothing():
    assert split_held_out([]) == ([], [])


def test_no_conversations_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no conversations"):
        load_conversations(tmp_path)
