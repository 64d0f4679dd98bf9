"""Question sets."""

import json

import pytest

from ptp_core.benchmark.questions import Question, load_questions, typed_questions
from ptp_core.training.writing import read_prompts


def test_questions_files(tmp_path):
    file = tmp_path / "q.jsonl"
    first = {"question_id": 7, "category": "math", "turns": ["one", "two"]}
    file.write_text("\n".join(json.dumps(r) for r in [first, {"prompt": "plain"}, {"prompt": "x"}, {"prompt": "y"}]))
    questions = load_questions(file)
    assert questions[0] == Question("7", "math", "one")
    assert questions[1] == Question("1", "all", "plain")
    assert [q.prompt for q in load_questions(file, 2)] == ["one", "y"]
    assert typed_questions(["a", " ", "b"]) == [Question("own-1", "own", "a"), Question("own-3", "own", "b")]
    for text, reason in [
        ('{"text": "no prompt"}', "neither turns nor a prompt"),
        ("[1]", "neither turns nor a prompt"),
        ('{"prompt": ""}', "neither turns nor a prompt"),
        ("{broken", "Row 1 of .* is not whole JSON"),
        ("", "no question"),
        ('{"prompt": "a", "question_id": 1}\n{"prompt": "b", "question_id": 1}', "two questions with the id '1'"),
    ]:
        file.write_text(text)
        with pytest.raises(ValueError, match=reason):
            load_questions(file)
    with pytest.raises(ValueError, match="no question"):
        typed_questions(["  "])


def test_line_separators_inside_a_question_are_text(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"prompt": "a\u2028b\u0085c"}\r\n{"prompt": "d"}\n', encoding="utf-8")
    assert [q.prompt for q in load_questions(tmp_path / "q.jsonl")] == ["a\u2028b\x85c", "d"]
    assert read_prompts(str(tmp_path / "q.jsonl"), "prompt") == ["a\u2028b\x85c", "d"]


def test_files_from_other_systems(tmp_path):
    file = tmp_path / "q.jsonl"
    rows = '{"prompt": "a", "category": null, "question_id": null}\n{"prompt": "b", "question_id": null}\n'
    file.write_text(rows, encoding="utf-8-sig")
    assert load_questions(file) == [Question("0", "all", "a"), Question("1", "all", "b")]
    assert read_prompts(str(file), "prompt") == ["a", "b"]
    file.write_text(rows, encoding="utf-16")
    for read in (load_questions, lambda path: read_prompts(str(path), "prompt")):
        with pytest.raises(ValueError, match="is written in UTF-16; save it as UTF-8"):
            read(file)
    file.write_bytes(b"\xff\x00 no text")
    with pytest.raises(ValueError, match="is not text, so it holds no questions"):
        load_questions(file)


def test_halves_of_characters_in_questions(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"prompt": "a\\ud83d b", "category": "\\udc00"}\n')
    assert load_questions(tmp_path / "q.jsonl") == [Question("0", "\ufffd", "a\ufffd b")]
    assert typed_questions(["a\ud83d"])[0].prompt == "a\ufffd"
