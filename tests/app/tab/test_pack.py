"""What the browser downloads: the server's own weights, within eight bits' bound of those that were saved."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tab_model import SMALL, read_target, write_adapter, write_target

from app.tab import pack as packing
from app.tab.pack import Image, Matrix, main, pack
from ptp_core.storage.adapter_files import load_adapter
from ptp_core.storage.eight_bits import decode, encode


def unpacked(head, binary, name):
    """The matrix (N, K) that the browser's kernels see, or a vector."""
    where = head["tensors"][name]
    if "rows" not in where:
        return np.frombuffer(binary, np.float32, where["size"], where["at"])
    rows, columns = where["rows"], where["columns"]
    panels = -(-rows // packing.PANEL)
    kind = np.int8 if where["bits"] == 8 else np.float32
    numbers = np.frombuffer(binary, kind, panels * packing.PANEL * columns, where["at"])
    whole = numbers.reshape(panels, columns, packing.PANEL).transpose(0, 2, 1).reshape(-1, columns)
    scales = np.frombuffer(binary, np.float32, panels * packing.PANEL, where["scale"])
    return (whole.astype(np.float32) * scales[:, None])[:rows]


def test_the_target_is_the_servers_to_the_last_bit(target, adapter, blind):
    head, binary = pack(target, {"ptp": adapter, "blind": blind})
    weights = read_target(target).state_dict()
    for i in range(SMALL.layers):
        for name, places in packing.PRODUCTS.items():
            whole = torch.cat([weights[f"model.layers.{i}.{place}.weight"] for place in places])
            assert np.array_equal(unpacked(head, binary, f"{i}.{name}"), whole.numpy())
        norm = weights[f"model.layers.{i}.input_layernorm.weight"].numpy()
        assert np.array_equal(unpacked(head, binary, f"{i}.norm_in"), norm)
    assert np.array_equal(unpacked(head, binary, "embed"), weights["model.embed_tokens.weight"].numpy())
    assert head["bytes"] == len(binary) and all(t["at"] % packing.ALIGN == 0 for t in head["tensors"].values())
    turns = read_target(target).model.rotary_emb.inv_freq
    assert head["model"]["frequencies"] == turns.tolist()


def test_an_adapters_deltas_are_the_servers(target, adapter):
    head, binary = pack(target, {"ptp": adapter})
    found = load_adapter(adapter)
    scale = found.config.lora.scale_of("model.layers.1.mlp.up_proj")
    a, b = found.lora["model.layers.1.mlp.up_proj"]
    stacked = unpacked(head, binary, "ptp.1.gate_up.a")
    assert np.array_equal(stacked[SMALL.rank :], a.numpy())
    assert np.allclose(unpacked(head, binary, "ptp.1.gate_up.b1"), (b * scale).numpy(), rtol=1e-6)
    assert np.array_equal(unpacked(head, binary, "ptp.u.net.0"), found.u_embed["net.0.weight"].numpy())
    assert np.array_equal(unpacked(head, binary, "ptp.chain.inner"), found.chain["inner.weight"].numpy())
    assert head["adapters"]["ptp"]["chained"]["run"] == pytest.approx([0.6, 0.4, 0.3, 0.2])


@pytest.mark.parametrize("spread", [1e-3, 1.0, 50.0])
def test_eight_bits_stay_within_half_a_step(spread):
    weight = torch.randn(40, 33, generator=torch.Generator().manual_seed(3)) * spread
    weight[7] = 0
    image = Image()
    image.matrix("w", Matrix.find(encode({"w": weight}), "w"))
    found = unpacked({"tensors": image.tensors}, image.bytes(), "w")
    bound = weight.abs().amax(1, keepdim=True).numpy() / 127 / 2
    error = np.abs(found - weight.numpy())
    assert (error <= bound * (1 + 1e-5)).all()
    assert error.max() > 0.5 * bound.max()  # a matrix in floats would pass without having been rounded


def test_matrices_in_floats_come_whole():
    weight = torch.randn(17, 5)
    image = Image()
    image.matrix("w", Matrix.find({"w": weight}, "w"))
    assert np.array_equal(unpacked({"tensors": image.tensors}, image.bytes(), "w"), weight.numpy())


def test_a_download_that_is_too_large_is_refused(target, adapter, monkeypatch):
    monkeypatch.setattr(packing, "LARGEST", 50_000)
    with pytest.raises(ValueError, match="eight bits"):
        pack(target, {"ptp": adapter})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "gpt_neox"}, "Llama"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, "rotary"),
        ({"intermediate_size": 100}, "multiples"),
    ],
)
def test_other_networks_are_refused(tmp_path, target, changes, says):
    shutil.copytree(target, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(ValueError, match=says):
        pack(tmp_path / "other", {})


def test_other_adapters_are_refused(tmp_path, target):
    odd = write_adapter(tmp_path / "c", target, variant="c-ptp")
    with pytest.raises(ValueError, match="C-PTP"):
        pack(target, {"ptp": odd})
    odd = write_adapter(tmp_path / "r", target, u_embedding={"kind": "round"})
    with pytest.raises(ValueError, match="round"):
        pack(target, {"ptp": odd})


def test_precisions_are_not_mixed(tmp_path, target):
    shutil.copytree(target, tmp_path / "mixed")
    stored = load_file(target / "model.safetensors")
    name = "model.layers.0.self_attn.k_proj.weight"
    whole = decode(stored)[name]
    del stored[f"{name}.int8"], stored[f"{name}.scale"]
    save_file({**stored, name: whole}, tmp_path / "mixed" / "model.safetensors")
    with pytest.raises(ValueError, match="one precision"):
        pack(tmp_path / "mixed", {})


def test_a_head_of_its_own_is_packed(tmp_path):
    folder = write_target(tmp_path / "untied", replace(SMALL, tied=False))
    head, binary = pack(folder, {})
    assert np.array_equal(unpacked(head, binary, "head"), read_target(folder).lm_head.weight.detach().numpy())


def test_the_command_writes_both_files(tmp_path, target, adapter, blind, capsys):
    assert main([str(target), str(adapter), str(blind), str(tmp_path / "out")]) == 0
    head = json.loads((tmp_path / "out" / "head.json").read_text())
    assert (tmp_path / "out" / "weights.bin").stat().st_size == head["bytes"]
    assert sorted(head["adapters"]) == ["blind", "ptp"]
    assert main([str(tmp_path / "nowhere"), str(adapter), str(tmp_path / "out")]) == 1
    assert "nowhere" in capsys.readouterr().err
