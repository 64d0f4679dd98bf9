"""A random model of the layout that the browser runs: a byte-level BPE, a Llama in eight bits, and its adapters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ptp_core.model import attention
from ptp_core.model.config import AdapterConfig, LoraConfig
from ptp_core.model.parts import new_adapter
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.adapter_files import load_adapter, save_adapter, store_adapter
from ptp_core.storage.eight_bits import decode, encode

END = "<|endoftext|>"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(Path(json.__file__).parent.glob("*.py"))]


@dataclass(frozen=True)
class Shape:
    """Sizes of a random target, and how far its weights spread: wide ones make sharp odds."""

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    groups: int = 2
    mlp: int = 96
    vocab: int = 320
    rank: int = 8
    spread: float = 0.35
    tied: bool = True
    context: int = 256


SMALL = Shape()
WHOLE = Shape(256, 8, 4, 4, 512, 1024, 64, 0.1, context=512)  # of the model that comes with the lab


def write_target(folder: Path, shape: Shape = SMALL, seed: int = 0) -> Path:
    """A target's folder: config.json, tokenizer.json, model.safetensors in eight bits."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape.vocab, hidden_size=shape.hidden, intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.groups,
        max_position_embeddings=shape.context, initializer_range=shape.spread, rms_norm_eps=1e-5,
        bos_token_id=None, eos_token_id=0, tie_word_embeddings=shape.tied,
    )  # fmt: skip
    target = LlamaForCausalLM(config)
    for name, weight in target.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.uniform_(weight, 0.5, 1.5)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    weights = dict(target.state_dict())
    if shape.tied:
        del weights["lm_head.weight"]
    save_file({name: tensor.contiguous() for name, tensor in encode(weights).items()}, folder / "model.safetensors")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=shape.vocab, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_adapter(folder: Path, target: Path, shape: Shape = SMALL, seed: int = 1, **changes: Any) -> Path:
    """An adapter's folder for that target, its matrices in eight bits; changes: fields of AdapterConfig."""
    model = read_target(target)
    settings: dict[str, Any] = {
        "window": 5, "order": "token_id", "lora": LoraConfig(shape.rank, 1.5 * shape.rank), "name": folder.name,
        "draft_run": (0.6, 0.4, 0.3, 0.2), "draft_run_rejected": (0.5, 0.3, 0.2, 0.1), "confidence": (0.8, 0.1, 0.2),
        "u_embedding": {"kind": "fourier", "hidden": 32},
    }  # fmt: skip
    config = AdapterConfig(**{**settings, **changes})
    torch.manual_seed(seed)
    fresh = new_adapter(model, config)
    lora = {name: (a, torch.randn_like(b) * 0.1) for name, (a, b) in fresh.lora.items()}
    chain = {name: tensor + torch.randn_like(tensor) * 0.05 for name, tensor in fresh.chain.items()}
    save_adapter(folder, config, lora, fresh.u_embed, chain)
    store_adapter(folder, folder)
    return folder


def write_blind(folder: Path, target: Path, shape: Shape = SMALL, **changes: Any) -> Path:
    """The same without u."""
    return write_adapter(
        folder, target, shape, 2, **{"variant": "independent", "u_embedding": {"kind": "blank"}, **changes}
    )


def read_target(folder: Path) -> Any:
    """The target in float32, its weights those that the eight bits stand for."""
    config = LlamaConfig.from_pretrained(folder)
    target = LlamaForCausalLM(config).eval()
    missing = target.load_state_dict(decode(load_file(folder / "model.safetensors")), strict=False).missing_keys
    assert missing in ([], ["lm_head.weight"]), missing
    target.tie_weights()
    target.set_attn_implementation(attention.NAME)
    return target


def read_model(target: Path, adapter: Path | None = None, quick: bool = False) -> PTPModel:
    """The server's model of these folders."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(target / "tokenizer.json"), eos_token=END)
    found = load_adapter(adapter) if adapter else None
    return PTPModel(read_target(target), tokenizer, found, name=target.name, quick=quick).eval()
