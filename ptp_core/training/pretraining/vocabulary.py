"""The tokenizer of a small target, and texts as one long row of its tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

END = "<|endoftext|>"  # stands before every text and ends it; the only special token
_SAMPLE = 20_000_000  # characters that are enough to choose some thousand pieces


def train_tokenizer(texts: Sequence[str], size: int) -> Any:
    """A byte-level BPE tokenizer of the `tokenizers` library with `size` tokens; token 0 is END."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    sample: list[str] = []
    taken = 0
    for text in texts:
        if taken >= _SAMPLE:
            break
        sample.append(text)
        taken += len(text)
    tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Any, folder: Path, longest: int) -> None:
    """Writes tokenizer.json and the settings that transformers reads beside it."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END,
        "eos_token": END,
        "model_max_length": longest,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def as_tokens(tokenizer: Any, texts: Sequence[str]) -> NDArray[np.uint16]:
    """All texts behind one another, END before each."""
    parts = []
    for i in range(0, len(texts), 256):
        for encoded in tokenizer.encode_batch(list(texts[i : i + 256])):
            parts.append(np.array([0, *encoded.ids], dtype=np.uint16))
    return np.concatenate(parts)
