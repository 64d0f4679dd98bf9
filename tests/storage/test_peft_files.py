"""PEFT's settings of an adapter: honoured as PEFT does, or refused by name."""

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole

from ptp_core import NoiseTape, generate, load_adapter
from ptp_core.model.ptp_model import PTPModel
from ptp_core.model.second_adapter import with_adapter


@pytest.fixture
def folder(tmp_path):
    save_whole(tmp_path / "a", make_adapter())
    return tmp_path / "a"


def change(folder, **settings):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def keep(folder, kept):
    """Drops the matrices of all layers but those whose name `kept` holds for."""
    file = folder / "adapter_model.safetensors"
    save_file({key: tensor for key, tensor in load_file(file).items() if kept(key)}, file, metadata={"format": "pt"})


def slot_logits(model):
    """Logits of a call of slots only, where the delta is on every row."""
    embeddings = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    none = torch.zeros(1, 0, dtype=torch.long)
    with torch.inference_mode():
        return model.logits(model(none, embeddings, positions=torch.arange(5), mask=mask))


def peft_logits(folder):
    target = make_target()
    target.set_attn_implementation("eager")
    embeddings = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return PeftModel.from_pretrained(target, folder).eval()(inputs_embeds=embeddings).logits


HONOURED = [
    ({}, None),
    ({"use_rslora": True}, None),
    ({"alpha_pattern": {"q_proj": 64.0, r"layers\.1\..*down_proj": 1.0}}, None),
    ({"target_modules": "all-linear"}, None),
    ({"target_modules": r".*\.(q_proj|v_proj)"}, lambda key: "q_proj" in key or "v_proj" in key),
    ({"target_modules": ["q_proj", "v_proj"]}, lambda key: "q_proj" in key or "v_proj" in key),
    ({"target_modules": ["self_attn.q_proj", "up_proj"]}, lambda key: "q_proj" in key or "up_proj" in key),
    ({"layers_to_transform": [1]}, lambda key: ".layers.1." in key),
]


@pytest.mark.parametrize(("settings", "kept"), HONOURED)
@pytest.mark.parametrize("quick", [False, True])
def test_deltas_are_those_of_peft(folder, settings, kept, quick):
    change(folder, **settings)
    if kept:
        keep(folder, kept)
    model = PTPModel(make_target(), make_tokenizer(), load_adapter(folder), quick=quick)
    assert torch.allclose(slot_logits(model), peft_logits(folder), atol=1e-4)
    second = with_adapter(PTPModel(make_target(), make_tokenizer(), make_adapter(5), quick=quick), load_adapter(folder))
    assert torch.allclose(slot_logits(second), slot_logits(model), atol=1e-5)
    pqd = generate(model, [3, 4], "pqd", NoiseTape(1), max_new_tokens=12, draft_budget=9)
    assert pqd.tokens == generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=12).tokens


def test_ranks_by_pattern(folder, tmp_path):
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    for key, tensor in tensors.items():
        if "k_proj" in key:
            tensors[key] = (tensor[:2] if "lora_A" in key else tensor[:, :2]).contiguous()
    save_file(tensors, file, metadata={"format": "pt"})
    change(folder, rank_pattern={"k_proj": 2}, use_rslora=True)
    adapter = load_adapter(folder)
    for quick in (False, True):
        model = PTPModel(make_target(), make_tokenizer(), adapter, quick=quick)
        assert torch.allclose(slot_logits(model), peft_logits(folder), atol=1e-4)
    save_whole(tmp_path / "again", adapter)
    assert load_adapter(tmp_path / "again").config == adapter.config


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"lora_bias": True}, "lora_bias"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"r": 0}, r"rank of a LoRA \(r\) must be 1 or more"),
        ({"r": None}, "r should be a number"),
        ({"rank_pattern": {"q_proj": 0}}, "rank"),
        ({"lora_alpha": "big"}, "lora_alpha"),
        ({"alpha_pattern": {"(": 1.0}}, "no regular expression"),
        ({"alpha_pattern": [1]}, "alpha_pattern"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(folder, settings, named):
    change(folder, **settings)
    with pytest.raises(ValueError, match=named) as error:
        load_adapter(folder)
    assert "\n" not in str(error.value)


def test_settings_that_change_nothing_are_passed_over(folder):
    nothing = {"modules_to_save": None, "use_dora": False, "trainable_token_indices": None, "bias": "none",
               "init_lora_weights": True, "layers_to_transform": None, "megatron_core": "megatron.core"}  # fmt: skip
    change(folder, **nothing)
    assert load_adapter(folder).config == make_adapter().config


def test_settings_with_a_byte_order_mark(folder):
    for name in ("adapter_config.json", "ptp_config.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text, encoding="utf-8-sig")
    assert load_adapter(folder).config.window == 5
    (folder / "ptp_config.json").write_text(text, encoding="utf-16")
    with pytest.raises(ValueError, match=r"ptp_config\.json is written in UTF-16"):
        load_adapter(folder)
