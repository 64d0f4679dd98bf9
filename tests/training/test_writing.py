import json
import sys
from types import SimpleNamespace

import pytest

from ptp_core.training.conversations import data_sha256, load_conversations
from ptp_core.training.writing import DataRecipe, generate_data, generate_shard, read_prompts

RECIPE = DataRecipe(seed=3, conversations=24, shard_size=12, batch_size=8, max_prompt=400)


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
