"""Targets that come with the lab, and folders whose weights are stored in eight bits."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_model import make_tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig

from ptp_core import load_model
from ptp_core.storage.built_in import BUILT_IN, DEFAULT, built_in, in_eight_bits, target_folder, target_info
from ptp_core.storage.eight_bits import decode, encode

CONFIG = LlamaConfig(
    vocab_size=13, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, initializer_range=0.35, bos_token_id=None, eos_token_id=0, tie_word_embeddings=True,
)  # fmt: skip


@pytest.fixture
def stored(tmp_path):
    """A model folder with its matrices in eight bits."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(CONFIG).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(encode(weights), tmp_path / "model.safetensors")
    return tmp_path, weights


def test_eight_bits_are_the_target(stored):
    folder, weights = stored
    assert in_eight_bits(folder)
    rounded = AutoModelForCausalLM.from_config(CONFIG)
    rounded.load_state_dict(decode(encode(weights)), strict=False)
    rounded.tie_weights()
    ids = [3, 5, 4, 7]
    with torch.no_grad():
        expected = rounded.eval()(torch.tensor([ids])).logits[0]
    for quick in (True, False):
        found = load_model(folder, device="cpu", quick=quick).target_logits(ids)
        assert torch.allclose(found, expected, atol=1e-4)
    for name, weight in weights.items():  # no entry moves by more than half a step of its row
        step = weight.abs().amax(-1, keepdim=True) / 127
        assert bool(((decode(encode({name: weight}))[name] - weight).abs() <= 0.5001 * step).all()), name


def test_missing_and_foreign_weights_are_named(stored):
    folder, _ = stored
    whole = load_file(folder / "model.safetensors")
    gone = {name: part for name, part in whole.items() if "layers.1.mlp.down_proj" not in name}
    save_file(gone, folder / "model.safetensors")
    with pytest.raises(ValueError, match="down_proj"):
        load_model(folder, device="cpu")
    save_file({**whole, "model.odd": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.odd"):
        load_model(folder, device="cpu")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-40])
    with pytest.raises(ValueError):
        load_model(folder, device="cpu")


def test_names_of_built_in_targets(monkeypatch, stored, tmp_path):
    folder, _ = stored
    assert built_in(None) is BUILT_IN[DEFAULT] is built_in(DEFAULT)
    assert built_in("some/model") is None and built_in(folder) is None
    monkeypatch.setenv("PTP_LAB_MODELS", str(tmp_path.parent))
    assert target_folder(DEFAULT) is None and target_folder("no-such-model") is None
    monkeypatch.setitem(BUILT_IN, folder.name, BUILT_IN["ptp-small"])
    assert target_folder(folder.name) == folder
    model = load_model(folder.name, "none", device="cpu")
    assert model.name == folder.name and model.target_info["sha256"] == target_info(folder.name)["sha256"]
