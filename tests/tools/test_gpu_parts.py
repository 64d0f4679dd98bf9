"""The target in parts: small quantised models there and back, and the default one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tools.gpu.parts import COMPLETE, QUANTISATIONS, MissingPart, pack, restore, to_bfloat16, unpermuted

HEADS, GROUPS, SIZE = 4, 2, 64


@pytest.fixture
def target(tmp_path):
    """A one-layer Llama as a GGUF of all known block types, and the cache folder that follows from it."""
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize

    generator = np.random.default_rng(0)
    writer = GGUFWriter(str(tmp_path / "tiny.gguf"), "llama")
    shapes = {
        "token_embd.weight": ((13, SIZE), "Q8_0"),
        "output_norm.weight": ((SIZE,), "F32"),
        "blk.0.attn_norm.weight": ((SIZE,), "F32"),
        "blk.0.attn_q.weight": ((SIZE, SIZE), "Q4_1"),
        "blk.0.attn_k.weight": ((SIZE // 2, SIZE), "Q4_1"),
        "blk.0.attn_v.weight": ((SIZE // 2, SIZE), "Q8_0"),
        "blk.0.ffn_down.weight": ((SIZE, 96), "Q4_1"),
    }
    for name, (shape, kind) in shapes.items():
        if kind == "F32":
            writer.add_tensor(name, generator.normal(size=shape).astype(np.float32))
            continue
        one = QUANTISATIONS[kind]
        blocks = generator.integers(0, 256, (shape[0], shape[1] // 32, one.block), np.uint8)
        blocks[..., 1 : one.scales : 2] = generator.integers(40, 60, (*blocks.shape[:2], one.scales // 2))  # finite
        raw = blocks.reshape(shape[0], -1)
        writer.add_tensor(name, raw, raw_dtype=GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj"}
    names |= {"attn_norm": "input_layernorm", "ffn_down": "mlp.down_proj"}
    tensors = {}
    for tensor in GGUFReader(str(tmp_path / "tiny.gguf")).tensors:
        values = dequantize(tensor.data, tensor.tensor_type)  # gguf's own reading of the blocks
        leaf = tensor.name.split(".")[-2]
        for permuted, heads in (("attn_q", HEADS), ("attn_k", GROUPS)):
            values = unpermuted(values, heads) if leaf == permuted else values
        plain = {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}
        name = plain.get(leaf) or f"model.layers.0.{names[leaf]}.weight"
        tensors[name] = torch.from_numpy(np.ascontiguousarray(values)).bfloat16()
    cache = tmp_path / "Tiny-0123"
    cache.mkdir()
    save_file(tensors, cache / "model.safetensors", metadata={"format": "pt"})
    (cache / "config.json").write_text(json.dumps({"num_attention_heads": HEADS, "num_key_value_heads": GROUPS}))
    (cache / COMPLETE).write_text("hash")
    return tmp_path / "tiny.gguf", cache


@pytest.fixture
def adapter(tmp_path):
    folder = tmp_path / "some-adapter"
    folder.mkdir()
    save_file({"a": torch.randn(40, 50).bfloat16()}, folder / "adapter_model.safetensors")
    (folder / "ptp_config.json").write_text('{"odd number of bytes": 1}')
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_target_and_adapter_come_back_bit_for_bit(target, adapter, tmp_path):
    gguf, cache = target
    files = pack(gguf, cache, tmp_path / "parts", adapter, limit=9_000)
    assert len(files) > 1
    assert all(file.stat().st_size <= 9_000 for file in files)
    found = restore(tmp_path / "parts", tmp_path / "there", tmp_path / "adapters")
    assert found == {"target": tmp_path / "there" / cache.name, "adapter": tmp_path / "adapters" / adapter.name}
    assert contents(found["target"]) == contents(cache)
    assert contents(found["adapter"]) == contents(adapter)


def test_a_missing_or_changed_part_is_noticed(target, tmp_path):
    gguf, cache = target
    files = pack(gguf, cache, tmp_path / "parts", limit=9_000)
    kept = files[-1].read_bytes()
    files[-1].unlink()
    with pytest.raises(MissingPart):
        restore(tmp_path / "parts", tmp_path / "there", tmp_path)
    assert not (tmp_path / "there" / cache.name / COMPLETE).exists()
    files[-1].write_bytes(kept)
    restore(tmp_path / "parts", tmp_path / "there", tmp_path)


def test_packing_refuses_a_folder_that_does_not_follow_from_the_file(target, tmp_path):
    gguf, cache = target
    tensors = load_file(cache / "model.safetensors")
    tensors["model.norm.weight"][0] += 1
    save_file(tensors, cache / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="bit for bit"):
        pack(gguf, cache, tmp_path / "parts")


def test_bfloat16_rounds_as_torch_does():
    bits = np.random.default_rng(1).integers(0, 2**32, 100_000, np.uint64).astype(np.uint32)
    values = bits.view(np.float32)
    values = np.concatenate([values[np.isfinite(values)], np.float32([1.00390625, 1.01171875, 0.0, -0.0])])  # ties
    expected = torch.from_numpy(values).bfloat16().view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(to_bfloat16(values), expected)
