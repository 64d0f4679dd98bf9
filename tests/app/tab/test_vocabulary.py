"""A tokenizer as the browser gets it. Whether the browser cuts texts alike is tested there (tests/browser)."""

from __future__ import annotations

import json
import shutil

import pytest
from tokenizers import Tokenizer

from app.tab.vocabulary import WORDS, vocabulary


def test_tokens_are_bytes_and_merges_are_numbers(target):
    found = vocabulary(target)
    tokenizer = Tokenizer.from_file(str(target / "tokenizer.json"))
    for token, text in enumerate(found["tokens"][1:], 1):
        assert text.encode("latin-1").decode("utf-8", "replace") == tokenizer.decode([token])
    left, right, whole = found["merges"][0]
    assert found["tokens"][left] + found["tokens"][right] == found["tokens"][whole]
    assert (found["cuts"], found["begin"], found["eos"]) == ([WORDS], [], [0])
    assert found["special"] == {"<|endoftext|>": 0}


def test_what_stands_in_front_of_every_text_is_found(tmp_path, target):
    from tokenizers.processors import TemplateProcessing

    shutil.copytree(target, tmp_path / "begins")
    tokenizer = Tokenizer.from_file(str(target / "tokenizer.json"))
    tokenizer.post_processor = TemplateProcessing("<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    tokenizer.save(str(tmp_path / "begins" / "tokenizer.json"))
    assert vocabulary(tmp_path / "begins")["begin"] == [0]
    tokenizer.post_processor = TemplateProcessing("$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)])
    tokenizer.save(str(tmp_path / "begins" / "tokenizer.json"))
    with pytest.raises(ValueError, match="behind"):
        vocabulary(tmp_path / "begins")


@pytest.mark.parametrize(
    "changes", [{"normalizer": {"type": "Lowercase"}}, {"pre_tokenizer": {"type": "Metaspace"}},
                {"model": {"type": "WordLevel"}}],
)  # fmt: skip
def test_other_tokenizers_are_refused(tmp_path, target, changes):
    shutil.copytree(target, tmp_path / "odd")
    raw = json.loads((target / "tokenizer.json").read_text())
    (tmp_path / "odd" / "tokenizer.json").write_text(json.dumps({**raw, **changes}))
    with pytest.raises(ValueError, match="browser"):
        vocabulary(tmp_path / "odd")
