import json
import random
import sys
from types import SimpleNamespace

import pytest
import torch
from support.tiny_model import make_target, make_tokenizer

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.batch_sampling import Request, complete
from ptp_core.training.conversations import Conversation, data_sha256, load_conversations, split_held_out
from ptp_core.training.writing import DataRecipe, generate_data, generate_shard, read_prompts

RECIPE = DataRecipe(seed=3, conversations=24, shard_size=12, batch_size=8, max_prompt=400)


@pytest.fixture(scope="module")
def writer():
    """A tiny model with room for passages."""
    return PTPModel(make_target(context=2048), make_tokenizer(), name="tiny").eval()


def test_batched_continuations_are_those_of_one_by_one(make_model):
    model = make_model(adapter=False, context=128)
    prompts = [[3], [4, 5, 6, 7, 8, 9], [2, 2, 2], [10, 11, 12, 3, 4, 5, 6, 7, 8, 9, 2]]
    samplings = [SamplingConfig(), SamplingConfig(0), SamplingConfig(1.0, 5, 0.9), SamplingConfig()]
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


def test_a_shard_is_a_function_of_recipe_and_number(writer):
    assert generate_shard(writer, RECIPE, 0) == generate_shard(writer, RECIPE, 0)
    assert generate_shard(writer, RECIPE, 0) != generate_shard(writer, RECIPE, 1)


def test_rows_hold_what_they_say(writer):
    rows = generate_shard(writer, DataRecipe(seed=1, shard_size=60, max_prompt=900), 0)
    assert len(rows) > 20
    assert len({row.kind for row in rows}) >= 5
    assert {row.temperature for row in rows} >= {0.0, 0.7, 1.0}
    for row in rows:
        assert 0 < row.p < len(row.ids)
        assert 0 not in row.ids[row.p : -1], "an answer goes on behind its end"


def test_generation_goes_on_where_it_stopped(writer, tmp_path):
    whole = generate_data(writer, RECIPE, tmp_path / "whole")
    part = generate_data(writer, DataRecipe(**{**RECIPE.__dict__, "conversations": 12}), tmp_path / "part")
    first = (part / "shard-00000.jsonl.gz").stat().st_mtime_ns
    generate_data(writer, RECIPE, part)
    assert (part / "shard-00000.jsonl.gz").stat().st_mtime_ns == first
    assert data_sha256(part) == data_sha256(whole)
    assert load_conversations(part) == load_conversations(whole)


def test_data_of_another_recipe_is_not_mixed_in(writer, tmp_path):
    generate_data(writer, RECIPE, tmp_path)
    with pytest.raises(ValueError, match="seed"):
        generate_data(writer, DataRecipe(**{**RECIPE.__dict__, "seed": 4}), tmp_path)


def test_prompts_from_a_file(writer, tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(json.dumps({"question": text}) for text in ("abc", "hgf", "fed")))
    assert read_prompts(str(file), "question") == ["abc", "hgf", "fed"]
    recipe = DataRecipe(source=str(file), field="question", conversations=3, shard_size=3)
    rows = load_conversations(generate_data(writer, recipe, tmp_path / "out"))
    assert {writer.decode(row.ids[: row.p]).rstrip(".") for row in rows} <= {"abc", "hgf", "fed"}
    with pytest.raises(ValueError, match="no text field 'prompt'"):
        read_prompts(str(file), "prompt")


def test_prompts_from_a_data_set_of_the_hub_by_its_name(writer, tmp_path, monkeypatch):
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return [{"prompt": text} for text in ("abc", "hgf")]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert read_prompts("hub:someone/questions:test", "prompt") == ["abc", "hgf"]
    recipe = DataRecipe(source="hub:someone/questions", conversations=2, shard_size=2)
    rows = load_conversations(generate_data(writer, recipe, tmp_path))
    assert {writer.decode(row.ids[: row.p]).rstrip(".") for row in rows} <= {"abc", "hgf"}
    assert asked == [("someone/questions", "test"), ("someone/questions", "train")]
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match="pip install datasets"):
        read_prompts("hub:someone/questions", "prompt")


def test_benchmark_questions_are_never_training_data(tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps({"question_id": 81, "category": "writing", "turns": ["Compose"], "prompt": "Compose"}))
    with pytest.raises(ValueError, match="evaluation only"):
        read_prompts(str(file), "prompt")


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


def test_padding_leaks_nothing(make_model):
    """A row's text is the same whatever stands beside it in the batch."""
    model = make_model(adapter=False)
    request = Request([5, 6, 7], SamplingConfig(), 12, 9)
    longer = Request([8] * 40, SamplingConfig(), 12, 10)
    assert complete(model, [request, longer], 2)[0] == complete(model, [request], 1)[0]
    assert torch.is_inference_mode_enabled() is False
