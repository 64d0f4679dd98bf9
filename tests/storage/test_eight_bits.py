"""Adapters in eight bits: what is rounded and by how much, what stays exact, and what names the weights."""

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole

from ptp_core import NoiseTape, generate, load_adapter
from ptp_core.__main__ import main
from ptp_core.model.parts import PARTS
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.adapter_files import adapter_hashes, adapter_sha256, store_adapter
from ptp_core.storage.eight_bits import decode, encode


@pytest.fixture
def folders(tmp_path):
    """An adapter with every part, as it was saved and in eight bits."""
    adapter = make_adapter(chain=16, target={"name": "tiny", "hidden_size": 32, "num_layers": 2, "vocab_size": 13})
    save_whole(tmp_path / "floats", adapter)
    (tmp_path / "floats" / "README.md").write_text("a card")
    store_adapter(tmp_path / "floats", tmp_path / "small")
    return tmp_path / "floats", tmp_path / "small"


def test_a_row_is_rounded_by_half_a_step_at_most():
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(40, 64, generator=draw) * torch.logspace(-6, 3, 40)[:, None]
    weight[7] = 0
    found = decode(encode({"w": weight}))["w"]
    assert found.dtype == torch.float32
    step = weight.abs().amax(1, keepdim=True) / 127
    assert bool(((found - weight).abs() <= 0.5001 * step).all())
    assert not torch.equal(found, weight)
    assert torch.equal(found[7], weight[7])


def test_only_matrices_that_get_smaller_are_rounded():
    tensors = {
        "bias": torch.randn(64), "ids": torch.arange(64).view(8, 8), "tall": torch.randn(64, 1),
        "entry.weight": torch.randn(8, 64), "w": torch.randn(8, 64).bfloat16(),
    }  # fmt: skip
    found = encode(tensors, exact=("entry.",))
    assert set(found) == {"bias", "ids", "tall", "entry.weight", "w.int8", "w.scale"}
    assert all(found[name] is tensors[name] for name in ("bias", "ids", "tall", "entry.weight"))
    assert (found["w.int8"].dtype, found["w.scale"].shape) == (torch.int8, (8, 1))
    assert set(encode(found)) == (set(found) | {"entry.weight.int8", "entry.weight.scale"}) - {"entry.weight"}


def test_what_is_stored_so_stays_so():
    once = encode({"w": torch.randn(8, 64)})
    twice = encode(once)
    assert all(torch.equal(twice[name], tensor) for name, tensor in once.items())


@pytest.mark.parametrize("scale", [None, torch.ones(3, 1), torch.ones(8)])
def test_a_matrix_without_its_scales_is_refused(scale):
    broken = {"w.int8": torch.zeros(8, 4, dtype=torch.int8)} | ({} if scale is None else {"w.scale": scale})
    with pytest.raises(ValueError, match="w is stored in eight bits without its scales"):
        decode(broken)


def test_an_adapter_in_eight_bits_loads_as_float32_and_nearly_the_same(folders):
    whole, small = (load_adapter(folder) for folder in folders)
    for name, (a, b) in whole.lora.items():
        for exact, found in zip((a, b), small.lora[name], strict=True):
            assert found.dtype == torch.float32
            assert (found - exact).norm() < 0.01 * exact.norm()
    assert all(torch.equal(small.u_embed[name], tensor) for name, tensor in whole.u_embed.items())
    assert all(torch.equal(small.shallow[n], t) for n, t in whole.shallow.items() if n.startswith(("entry", "u_embed")))
    rounded = [n for n, t in whole.shallow.items() if not torch.equal(small.shallow[n], t)]
    assert rounded and all(name.startswith("deltas.") for name in rounded)
    assert "inner.weight.int8" in load_file(folders[1] / PARTS["chain"].file)
    assert (folders[1] / "README.md").read_text() == "a card"
    assert sum(p.stat().st_size for p in folders[1].glob("*.safetensors")) < sum(
        p.stat().st_size for p in folders[0].glob("*.safetensors")
    )


@pytest.mark.parametrize("method", ["pqd", "shallow"])
def test_it_drafts_nearly_the_same_and_decodes_the_same_text(folders, method):
    models = [PTPModel(make_target(), make_tokenizer(), load_adapter(folder)) for folder in folders]
    drafts = [[], []]
    for seed in range(12):
        plain = generate(models[0], [3, 4], "ar", NoiseTape(seed), max_new_tokens=16)
        for model, said in zip(models, drafts, strict=True):
            trace = generate(model, [3, 4], method, NoiseTape(seed), max_new_tokens=16, draft_budget=4)
            assert trace.tokens == plain.tokens
            said.append([d.token for step in trace.steps for d in step.drafts])
    assert sum(a == b for a, b in zip(*drafts, strict=True)) >= 9  # of 12 runs; a near tie may fall otherwise


def test_the_earlier_hash_still_names_the_weights(folders, tmp_path):
    whole, small = (load_adapter(folder) for folder in folders)
    assert small.sha256 == adapter_sha256(folders[1]) != whole.sha256
    assert small.config.previous_sha256 == whole.sha256
    assert adapter_hashes(folders[1]) == (small.sha256, whole.sha256)
    assert adapter_hashes(folders[0]) == (whole.sha256,)
    store_adapter(folders[1], folders[1])  # in place, and once more: nothing changes
    assert adapter_hashes(folders[1]) == (small.sha256, whole.sha256)
    save_whole(tmp_path / "new", small)
    assert load_adapter(tmp_path / "new").config.previous_sha256 == ""  # other weights


def test_back_to_floats_peft_loads_them(folders, tmp_path):
    """And refuses eight bits by what it misses, instead of taking whole numbers for weights."""
    small = load_adapter(folders[1])
    store_adapter(folders[1], tmp_path / "back", eight_bits=False)
    back = load_adapter(tmp_path / "back")
    for name, (a, b) in small.lora.items():
        assert torch.equal(back.lora[name][0], a)
        assert torch.equal(back.lora[name][1], b)
    peft = PeftModel.from_pretrained(make_target(), tmp_path / "back")
    names = {n for n, _ in peft.named_parameters() if "lora_A" in n}
    assert len(names) == len(small.lora)
    with pytest.warns(UserWarning, match="missing adapter keys"):
        PeftModel.from_pretrained(make_target(), folders[1])


def test_the_command_packs_and_unpacks(folders, tmp_path, capsys):
    assert main(["pack", str(folders[0]), str(tmp_path / "small")]) == 0
    assert adapter_sha256(tmp_path / "small") == adapter_sha256(folders[1])
    assert main(["pack", str(tmp_path / "small"), str(tmp_path / "floats"), "--floats"]) == 0
    assert "MB of weights" in capsys.readouterr().out
    assert torch.equal(
        load_adapter(tmp_path / "floats").chain["inner.weight"], load_adapter(folders[1]).chain["inner.weight"]
    )
    assert main(["pack", str(tmp_path / "nothing"), str(tmp_path / "x")]) == 1
    assert "nothing" in capsys.readouterr().err


def test_a_damaged_folder_is_refused_before_anything_is_written(folders, tmp_path):
    file = folders[1] / PARTS["chain"].file
    save_file({name: t for name, t in load_file(file).items() if not name.endswith(".scale")}, file)
    with pytest.raises(ValueError, match="without its scales"):
        store_adapter(folders[1], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    raw = json.loads((folders[0] / "ptp_config.json").read_text())
    (folders[0] / "ptp_config.json").write_text(json.dumps({**raw, "format": "other"}))
    with pytest.raises(ValueError, match="other"):
        store_adapter(folders[0], tmp_path / "out")


def test_a_folder_from_before_is_read(folders):
    """Floats, and a configuration that knows no earlier hash."""
    file = folders[0] / "ptp_config.json"
    raw = json.loads(file.read_text())
    del raw["previous_sha256"]
    file.write_text(json.dumps(raw))
    assert load_adapter(folders[0]).config.previous_sha256 == ""
