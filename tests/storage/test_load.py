"""load_model from folders, in every layout that the lab names, and the errors it gives."""

import json
import shutil

import pytest
import torch
from support.tiny_model import make_adapter, make_tokenizer, save_whole
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from ptp_core import NoiseTape, SamplingConfig, generate, load_model

SMALL = {
    "vocab_size": 13, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 64, "initializer_range": 0.35, "bos_token_id": None, "eos_token_id": 0,
    "pad_token_id": 0,
}  # fmt: skip
GQA = {**SMALL, "num_key_value_heads": 2}
LAYOUTS = {
    "llama": LlamaConfig(**GQA),
    "llama_bias_tied": LlamaConfig(**GQA, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    "mistral": MistralConfig(**GQA, head_dim=8),
    "mistral_sliding": MistralConfig(**GQA, head_dim=8, sliding_window=16),
    "qwen2": Qwen2Config(**GQA),
    "qwen3": Qwen3Config(**GQA, head_dim=8),
    "smollm3": SmolLM3Config(**GQA),
    "smollm3_without_rope": SmolLM3Config(**GQA, no_rope_layer_interval=2),
    "gpt_neox": GPTNeoXConfig(**SMALL),
    "olmo2": Olmo2Config(**GQA),  # norms behind attention and MLP, none in front
}


def save_model(folder, config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():  # biases and norms that do something
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 1.0 if "norm" in name else 0.0, 0.2)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("quick", [True, False])
def test_every_layout_decodes_as_transformers_does(tmp_path, layout, quick):
    folder = save_model(tmp_path / layout, LAYOUTS[layout])
    model = load_model(folder, quick=quick, device="cpu")
    ids = model.encode("abcabc")
    text = generate(model, ids, "ar", sampling=SamplingConfig(temperature=0), max_new_tokens=8).tokens
    theirs = AutoModelForCausalLM.from_pretrained(folder).generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=8, pad_token_id=0
    )
    assert text == theirs[0, len(ids) :].tolist()
    noise = NoiseTape(3)
    lookup = generate(model, ids, "prompt_lookup", noise=noise, max_new_tokens=8).tokens
    assert lookup == generate(model, ids, "ar", noise=noise, max_new_tokens=8).tokens


def test_a_sliding_window_bounds_the_context(tmp_path):
    model = load_model(save_model(tmp_path / "m", LAYOUTS["mistral_sliding"]))
    assert model.max_context == 16
    assert load_model(save_model(tmp_path / "l", LAYOUTS["llama"])).max_context == 64


@pytest.mark.parametrize("quick", [True, False])
def test_model_and_adapter_from_folders(tiny_folder, tmp_path, quick):
    adapter = make_adapter()
    save_whole(tmp_path / "a", adapter)
    model = load_model(tiny_folder, tmp_path / "a", quick=quick)
    assert model.name == "tiny-llama"
    trace = generate(model, [3, 4], "pqd", noise=NoiseTape(1), max_new_tokens=12)
    assert trace.tokens == generate(model, [3, 4], "ar", noise=NoiseTape(1), max_new_tokens=12).tokens
    assert load_model(tiny_folder).adapter is None


def test_bfloat16_keeps_logits_in_float32(tiny_folder, tmp_path):
    adapter = make_adapter()
    save_whole(tmp_path / "a", adapter)
    for quick in (True, False):
        model = load_model(tiny_folder, tmp_path / "a", dtype="bfloat16", quick=quick)
        logits = model.target_logits([3, 4, 5])
        assert logits.dtype == torch.float32
        assert not torch.equal(logits, logits.bfloat16().float()), "the head was computed in bf16"
        assert generate(model, [3, 4], "pqd", max_new_tokens=8).dtype == "bfloat16"


def test_a_model_that_would_not_decode_as_itself_is_refused(tmp_path):
    capped = Gemma2Config(**GQA, head_dim=8, final_logit_softcapping=1.0, sliding_window=64)
    with pytest.raises(ValueError, match="not Llama-like"):
        load_model(save_model(tmp_path / "g", capped))


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nobody/nothing"):
        load_model("nobody/nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises((FileNotFoundError, ValueError), match="empty"):
        load_model(tmp_path / "empty")


def test_a_model_of_another_kind(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text(json.dumps({"model_type": "not-a-model"}))
    make_tokenizer().save_pretrained(tmp_path / "m")
    with pytest.raises(ValueError, match="causal language model"):
        load_model(tmp_path / "m")


def test_damaged_weights(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "m")
    (weights,) = (tmp_path / "m").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged or cut off"):
        load_model(tmp_path / "m")


def test_devices_and_dtypes_that_are_not_there(tiny_folder):
    with pytest.raises(ValueError, match="available: cpu"):
        load_model(tiny_folder, device="tpu")
    with pytest.raises(ValueError, match="dtype"):
        load_model(tiny_folder, dtype="float8")
