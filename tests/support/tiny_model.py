"""The tiny model of the tests: a random 2-layer Llama, a character tokenizer, random adapters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ptp_core.benchmark.config import BenchConfig, parse_sweep
from ptp_core.benchmark.environment import environment
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.runner import Lineup, run_bench
from ptp_core.model.chain_head import ChainHead
from ptp_core.model.config import Adapter, AdapterConfig, LoraConfig, ParallelConfig, ShallowConfig
from ptp_core.model.parallel_slots import ParallelSlots
from ptp_core.model.parts import PARTS
from ptp_core.model.ptp_model import PTPModel, attention
from ptp_core.model.shallow_slots import ShallowSlots
from ptp_core.model.u_embedding import build_u_embedding
from ptp_core.storage.adapter_files import save_adapter

ALPHABET = "abcdefgh .,"
SHALLOW = ShallowConfig(1, 4, 10, 4, {"kind": "fourier", "hidden": 16}, (0.5, 0.3, 0.2, 0.1))
PARALLEL = ParallelConfig(1, 4, 10, 4, {"kind": "temperature", "hidden": 16}, (0.5, 0.3, 0.2, 0.1), markov=8)
CHAT = "{% for m in messages %}{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}.{% endif %}"


def make_tokenizer(chat_template: str | None = CHAT) -> PreTrainedTokenizerFast:
    vocabulary = {token: i for i, token in enumerate(["<eos>", "<unk>", *ALPHABET])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", unk_token="<unk>")
    tokenizer.chat_template = chat_template
    return tokenizer


def make_target(seed: int = 0, vocab: int | None = None, spread: float = 0.35, context: int = 128) -> LlamaForCausalLM:
    """A random 2-layer Llama whose distributions are neither flat nor one-sided."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab or len(ALPHABET) + 2,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=spread,
        bos_token_id=None,
        eos_token_id=0,
        tie_word_embeddings=False,
    )
    target = LlamaForCausalLM(config).eval()
    target.set_attn_implementation(attention.NAME)
    return target


def make_adapter(seed: int = 1, layers: int = 2, size: float = 0.3, **changes: object) -> Adapter:
    """A random adapter for make_target; size scales its delta.

    Shallow and parallel slots come with it, but for shallow=None and parallel=None.
    """
    shallow, parallel = changes.pop("shallow", SHALLOW), changes.pop("parallel", PARALLEL)
    kind = str(changes.pop("kind", "fourier"))
    options = {"hidden": 16} if kind == "fourier" else {}
    config = replace(
        AdapterConfig(
            window=5, u_embedding={"kind": kind, **options}, lora=LoraConfig(4, 8.0), name=f"tiny-{seed}",
            draft_run=(0.5, 0.3, 0.2, 0.1), shallow=shallow, parallel=parallel,  # type: ignore[arg-type]
        ),
        **changes,  # type: ignore[arg-type]
    )  # fmt: skip
    shapes = {"q_proj": (32, 32), "k_proj": (16, 32), "v_proj": (16, 32), "o_proj": (32, 32)}
    mlp = {"gate_proj": (48, 32), "up_proj": (48, 32), "down_proj": (32, 48)}
    torch.manual_seed(seed)
    lora = {}
    for layer in range(layers):
        for part, group in (("self_attn", shapes), ("mlp", mlp)):
            for name, (out, into) in group.items():
                pair = (torch.randn(4, into) * size, torch.randn(out, 4) * size)
                lora[f"model.layers.{layer}.{part}.{name}"] = pair
    u_embed = build_u_embedding(kind, 32, config.start_slot, **options).state_dict()
    chain = make_chain(config.chain, size) if config.chain else {}
    ahead = [make_shallow(part, size) if part else {} for part in (config.shallow, config.parallel)]
    return Adapter(config, lora, u_embed, "tiny", chain, *ahead)


def make_chain(width: int, size: float = 0.3) -> dict[str, torch.Tensor]:
    """A random chain head for make_target, that changes drafts from the start."""
    head = ChainHead(32, width)
    torch.nn.init.normal_(head.outer.weight, std=size)
    return head.state_dict()


def make_shallow(config: ShallowConfig, size: float = 0.3) -> dict[str, torch.Tensor]:
    """Random shallow slots for make_target, that change drafts from the start; some tokens they cannot draft."""
    kind = ParallelSlots if isinstance(config, ParallelConfig) else ShallowSlots
    slots = kind(config, make_target())
    for name, parameter in slots.named_parameters():
        if name.endswith((".B", "outer.weight")):
            torch.nn.init.normal_(parameter, std=size)
    slots.vocabulary.copy_(torch.tensor([0, *range(13 - config.vocabulary + 1, 13)]))
    return slots.state_dict()


def save_whole(folder: Path, adapter: Adapter) -> None:
    parts = {name: getattr(adapter, name) for name in PARTS}
    save_adapter(folder, adapter.config, **parts)


def make_results(folder: Path, model: PTPModel) -> None:
    """Writes two benchmark results: default.json, methods side by side, and default-sweeps.json."""
    asked = [Question(str(i), "cd" if i % 2 else "ab", p) for i, p in enumerate(["abc", "hg fe", "aabb", "d.e.f"])]
    plain = BenchConfig(("ar", "ptp", "pqd", "prompt_lookup"), max_new_tokens=16, draft_budget=9)
    swept = replace(plain, methods=("ar", "pqd"), max_new_tokens=6, sweep=parse_sweep("draft_budget=0,4,8"))
    for name, config in (("default", plain), ("default-sweeps", swept)):
        rows = run_bench(Lineup(model), asked, config)
        BenchResult(environment(model), config, asked, rows).to_json(folder / f"{name}.json")
