"""What is refused at load, in a sentence, because it would decode as something else."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.other_models import LONGROPE, save_model
from support.tiny_model import make_tokenizer
from transformers import AutoModelForCausalLM

from ptp_core import SamplingConfig, generate, load_model

GREEDY = SamplingConfig(temperature=0, top_k=0, top_p=1.0)


def their_text(folder, ids, count):
    target = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    asked = torch.tensor([ids])
    out = target.generate(
        asked, attention_mask=torch.ones_like(asked), do_sample=False, max_new_tokens=count, pad_token_id=0,
        eos_token_id=99,
    )  # fmt: skip
    return out[0, len(ids) :].tolist()


def without_end(model):
    model.target.generation_config.eos_token_id = model.tokenizer.eos_token = None
    return model


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Llama", {"rope_parameters": {**LONGROPE, "factor": 3.2}}),
        ("Phi3", {"rope_parameters": {**LONGROPE, "partial_rotary_factor": 1.0},
                  "original_max_position_embeddings": 40}),
    ],
)  # fmt: skip
def test_longrope_ends_where_its_factors_change(tmp_path, kind, settings):
    folder = save_model(tmp_path / kind, kind, **settings)
    model = without_end(load_model(folder))
    assert model.max_context == 40
    assert any("LongRoPE" in note and "40 tokens" in note for note in model.notes)
    ids = [*model.encode("abcdefghabcdefghabcd"), 3, 4, 5]
    own = generate(model, ids, "ar", sampling=GREEDY, max_new_tokens=30).tokens
    assert own == their_text(folder, ids, 17) and len(own) == 17
    assert generate(model, ids, "prompt_lookup", sampling=GREEDY, max_new_tokens=30).tokens == own


def test_rows_behind_the_switch_do_not_turn_the_others(tmp_path):
    """Slots may lie behind the end of the context; the target's rows in the same call must not notice."""
    longrope, dynamic = {**LONGROPE, "factor": 3.2}, {"rope_type": "dynamic", "factor": 2.0}
    for kind, settings in (("longrope", longrope), ("dynamic", dynamic)):
        model = load_model(save_model(tmp_path / kind, rope_parameters=settings))
        ids = torch.tensor([[3, 4, 5, 6]])
        logits = []
        for last in (4, 200):  # positions; the last row is a slot's
            positions = torch.tensor([0, 1, 2, last])
            mask = torch.ones(4, 4, dtype=torch.bool).tril()
            logits.append(model.logits(model(ids, positions=positions, mask=mask)[0, :3]))
        assert torch.equal(*logits), kind


@pytest.mark.parametrize(
    ("kind", "attention", "settings"),
    [
        ("Mamba", False, {"state_size": 8}),
        ("Mamba2", False, {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 1}),
        ("Rwkv", False, {"attention_hidden_size": 32, "context_length": 128}),
        ("Lfm2", True, {"full_attn_idxs": [1], "conv_L_cache": 3}),
        ("MiniMax", True, {"head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1, "block_size": 4,
                           "layer_types": ["linear_attention", "full_attention"]}),
    ],
)  # fmt: skip
def test_a_state_besides_keys_and_values_is_refused(tmp_path, kind, attention, settings):
    with pytest.raises(ValueError, match="keeps a state besides keys and values") as error:
        load_model(save_model(tmp_path / kind, kind, attention, **settings))
    assert "\n" not in str(error.value)


def test_layers_unlike_the_first_go_through_transformers(tmp_path):
    settings = {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    folder = save_model(tmp_path / "moe", "Qwen3Moe", mlp_only_layers=[0], **settings)
    model = without_end(load_model(folder))
    assert not model.is_fast
    ids = [3, 4, 5]
    own = generate(model, ids, "ar", sampling=GREEDY, max_new_tokens=12).tokens
    assert own == their_text(folder, ids, 12)
    assert generate(model, ids, "prompt_lookup", sampling=GREEDY, max_new_tokens=12).tokens == own


def changed(folder, change):
    (file,) = folder.glob("*.safetensors")
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return folder


NORM = "model.layers.1.input_layernorm.weight"


def test_a_checkpoint_that_lacks_tensors_names_them(tiny_folder):
    with pytest.raises(ValueError, match=r"lacks 1 of its tensors.*input_layernorm"):
        load_model(changed(tiny_folder, lambda tensors: tensors.pop(NORM)))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(tiny_folder, number):
    def change(tensors):
        tensors["model.embed_tokens.weight"][11, 3] = number  # of a token that no check happens to read

    with pytest.raises(ValueError, match=r"not finite .*embed_tokens"):
        load_model(changed(tiny_folder, change))


def test_weights_that_overflow_say_so(tiny_folder):
    def change(tensors):
        tensors[NORM].fill_(1e38)

    with pytest.raises(ValueError, match="overflow in float32"):
        load_model(changed(tiny_folder, change))


def test_large_weights_are_no_broken_ones(tiny_folder):
    def change(tensors):
        tensors["model.embed_tokens.weight"][11] = 3e38  # finite, though their sum is not

    assert load_model(changed(tiny_folder, change)).max_context == 128


@pytest.mark.parametrize(
    "quantised",
    [
        {"quant_method": "bitsandbytes", "load_in_4bit": True},
        {"quant_method": "gptq", "bits": 4},
        {"quant_method": "awq", "bits": 4},
    ],
)
def test_formats_of_libraries_that_are_not_here(tiny_folder, quantised):
    file = tiny_folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "quantization_config": quantised}))
    with pytest.raises(ValueError, match=r"needs a library|can load") as error:
        load_model(tiny_folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_weights_of_another_size(tiny_folder):
    file = tiny_folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "intermediate_size": 40}))
    with pytest.raises(ValueError, match="tiny-llama") as error:
        load_model(tiny_folder)
    assert "\n" not in str(error.value)


def test_a_tokenizer_larger_than_the_network(tiny_folder):
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["XYZ"])
    tokenizer.save_pretrained(tiny_folder)
    model = load_model(tiny_folder)
    generate(model, model.encode("abc"), "ar", max_new_tokens=2)
    with pytest.raises(ValueError, match=r"a token 13 in this text, but the network of .* knows 13 tokens"):
        generate(model, model.encode("abcXYZ"), "ar", max_new_tokens=2)
