"""Tiny models of other kinds on disk, and a tokenizer of Llama 2's kind."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from support.tiny_model import make_tokenizer
from tokenizers import Tokenizer, decoders, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

LAYERS = {"hidden_size": 32, "num_hidden_layers": 2}
ATTENTION = {
    "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "initializer_range": 0.35, "pad_token_id": None,
}  # fmt: skip
LONGROPE = {
    "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [1.0, 1.5, 3.0, 6.0],
    "original_max_position_embeddings": 40,
}  # fmt: skip


def save_model(folder: Path, kind: str = "Llama", attention: bool = True, **settings: object) -> Path:
    """A random model of a transformers configuration, 13 tokens, in `folder`; returns the folder."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        **{"vocab_size": 13, "bos_token_id": None, "eos_token_id": 0, **LAYERS, **(ATTENTION if attention else {})},
        **settings,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def sentencepiece(words: tuple[str, ...] = ("▁the", "▁cat", "▁sat", "s", "▁", "a")) -> PreTrainedTokenizerFast:
    """A tokenizer that decodes as Llama 2's does: bytes for odd characters, no space in front of a text."""
    every = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    inner = Tokenizer(models.WordLevel({token: i for i, token in enumerate(every)}, unk_token="<unk>"))
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
