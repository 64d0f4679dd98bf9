"""The default target and an adapter in parts that fit into one call each, restored bit for bit.

    python -m tools.gpu.parts pack OUT [--gguf FILE] [--adapter FOLDER] [--limit BYTES]
    python -m tools.gpu.parts restore PARTS --cache FOLDER --adapters FOLDER

Packing needs gguf and the target's cache folder. Restoring needs numpy and nothing else that Python lacks.

The target's bfloat16 file (269 MB) follows from its GGUF (98 MB), so the GGUF's blocks travel. A quantised block
holds a few scale bytes and its quants. Bytes of one place in all blocks form a plane: scale planes shrink well,
quants hardly. Adapters are split into planes of low and high bytes for the same reason. Planes are cut into
chunks, and chunks fill ZIP files up to the limit. The manifest in the first part says how to put all together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 61_000_000
MANIFEST = "manifest.json"
COMPLETE = "complete"  # the weight cache's mark that a folder is whole; written last
_CHUNK = 8 << 20
_WORTH = 0.95  # a chunk that does not shrink to this share travels as it is
_SAMPLE = 1 << 18  # bytes of a chunk that are tried first
_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}

Bytes = NDArray[np.uint8]


# --- quantised blocks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantisation:
    """A GGUF block type: bytes of a block, and how many of them, at its start, are float16 scales."""

    block: int
    scales: int

    def values(self, blocks: Bytes) -> NDArray[np.float32]:
        """The values (n, 32) or (n, 1) of blocks (n, block), in float32 as llama.cpp computes them."""
        raise NotImplementedError


class _Q4_1(Quantisation):
    def values(self, blocks: Bytes) -> NDArray[np.float32]:
        scales = blocks[:, :4].copy().view(np.float16).astype(np.float32)
        quants = blocks[:, 4:]
        low_then_high = np.concatenate([quants & 15, quants >> 4], axis=1).astype(np.float32)
        return low_then_high * scales[:, :1] + scales[:, 1:]


class _Q8_0(Quantisation):
    def values(self, blocks: Bytes) -> NDArray[np.float32]:
        scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        return blocks[:, 2:].view(np.int8).astype(np.float32) * scale


class _F32(Quantisation):
    def values(self, blocks: Bytes) -> NDArray[np.float32]:
        return np.ascontiguousarray(blocks).view(np.float32)


QUANTISATIONS: Mapping[str, Quantisation] = {"Q4_1": _Q4_1(20, 4), "Q8_0": _Q8_0(34, 2), "F32": _F32(4, 0)}


def to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even, as torch rounds finite numbers."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def transformers_name(name: str) -> str:
    """A Llama tensor's name in transformers from its name in a GGUF."""
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    if name == "output.weight":
        return "lm_head.weight"
    _, layer, leaf, _ = name.split(".")
    return f"model.layers.{layer}.{_NAMES[leaf]}.weight"


def unpermuted(weight: NDArray[Any], heads: int) -> NDArray[Any]:
    """q or k weights (out, in) with each head's rotary halves one after the other; a GGUF interleaves them."""
    out, into = weight.shape
    return weight.reshape(heads, out // heads // 2, 2, into).swapaxes(1, 2).reshape(out, into)


# --- packing ----------------------------------------------------------------------------------------------


def pack(gguf: Path, cache: Path, out: Path, adapter: Path | None = None, limit: int = LIMIT) -> list[Path]:
    """Writes part-1.zip, part-2.zip, ... into `out`; returns them.

    gguf is the target's file, cache its folder as ptp_core keeps it, adapter an adapter's folder. Raises ValueError
    if the parts would not restore the cache folder's model bit for bit, or if a chunk is larger than `limit`.
    """
    planes, manifest = _target_planes(gguf, cache)
    if adapter is not None:
        more, manifest["adapter"] = _adapter_planes(adapter)
        planes |= more
    manifest["planes"] = {name: len(data) for name, data in planes.items()}
    members = [(f"{name}/{i:03d}", chunk) for name, data in planes.items() for i, chunk in enumerate(_chunks(data))]
    with ThreadPoolExecutor() as pool:  # lzma lets other threads run
        squeezed = list(pool.map(lambda member: _squeezed(*member), members))
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("part-*.zip"):
        old.unlink()
    files = _fill(out, [(MANIFEST, json.dumps(manifest).encode()), *squeezed], limit)
    if not _restores(files, manifest):
        raise ValueError(f"The parts do not restore {cache} bit for bit: is {gguf.name} the file it was made from?")
    return files


def _target_planes(gguf: Path, cache: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    from gguf import GGUFReader

    blocks: dict[str, list[Bytes]] = {}
    tensors = []
    for tensor in sorted(GGUFReader(str(gguf)).tensors, key=lambda t: t.name):
        kind = tensor.tensor_type.name
        if kind not in QUANTISATIONS:
            raise ValueError(f"{tensor.name} is quantised as {kind}; known: {', '.join(QUANTISATIONS)}.")
        raw = np.asarray(tensor.data).reshape(-1).view(np.uint8).reshape(-1, QUANTISATIONS[kind].block)
        blocks.setdefault(kind, []).append(raw)
        tensors.append([tensor.name, kind, len(raw)])
    planes: dict[str, bytes] = {}
    for kind, parts in blocks.items():
        whole, scales = np.concatenate(parts), QUANTISATIONS[kind].scales
        planes |= {f"target/{kind}/{i}": whole[:, i].tobytes() for i in range(scales)}
        planes[f"target/{kind}/{scales}"] = whole[:, scales:].tobytes()
    model = cache / "model.safetensors"
    head, texts = _head(model), {}
    for file in sorted(cache.iterdir()):
        if file != model:
            planes[f"target/files/{file.name}"] = file.read_bytes()
            texts[file.name] = _sha256(file.read_bytes())
    target = {"folder": cache.name, "tensors": tensors, "head": head, "files": texts, "sha256": _sha256_of(model)}
    return planes, {"target": target}


def _adapter_planes(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    planes, hashes = {}, {}
    for file in sorted(p for p in folder.iterdir() if p.is_file()):
        data = file.read_bytes()
        hashes[file.name] = _sha256(data)
        even = np.frombuffer(data[: len(data) // 2 * 2], np.uint8).reshape(-1, 2)
        planes[f"adapter/{file.name}/low"] = even[:, 0].tobytes() + data[2 * len(even) :]
        planes[f"adapter/{file.name}/high"] = even[:, 1].tobytes()
    return planes, {"folder": folder.name, "files": hashes}


def _chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, max(len(data), 1), _CHUNK):
        yield data[start : start + _CHUNK]


def _squeezed(name: str, chunk: bytes) -> tuple[str, bytes]:
    """The chunk as it travels: as NAME.xz where that is worth it, else as it is."""
    sample = chunk[:_SAMPLE]
    if len(lzma.compress(sample)) < _WORTH * len(sample):
        return f"{name}.xz", lzma.compress(chunk)
    return name, chunk


def _fill(out: Path, members: list[tuple[str, bytes]], limit: int) -> list[Path]:
    """Fills archives in the members' order; ValueError if one member is larger than a part may be."""
    groups: list[list[tuple[str, bytes]]] = [[]]
    size = 0
    for name, data in members:
        room = len(data) + 2 * len(name) + 256  # with the archive's two entries
        if room > limit:
            raise ValueError(f"{name} alone has {len(data)} bytes; a part may have {limit}.")
        if size + room > limit:
            groups.append([])
            size = 0
        groups[-1].append((name, data))
        size += room
    files = [out / f"part-{i + 1}.zip" for i in range(len(groups))]
    for file, group in zip(files, groups, strict=True):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in group:
                archive.writestr(name, data)
    return files


# --- restoring --------------------------------------------------------------------------------------------


class MissingPart(ValueError):
    """Not all parts are there; the message says which planes lack."""


def restore(parts: Path, cache: Path, adapters: Path) -> dict[str, Path]:
    """Restores the target into cache/<its folder> and the adapter into adapters/<its name>; returns both folders.

    A target that is whole already stays. Raises MissingPart, or ValueError where a restored file is not the one that
    was packed.
    """
    files = sorted(parts.glob("part-*.zip"))
    manifest = _manifest(files)
    planes = _read(files, manifest)
    found = {}
    target = manifest["target"]
    found["target"] = cache / target["folder"]
    if not (found["target"] / COMPLETE).is_file():
        texts = {name: planes[f"target/files/{name}"] for name in target["files"]}
        contents = {"model.safetensors": _model_file(planes, target), **texts}
        _write_checked(found["target"], contents, {"model.safetensors": target["sha256"], **target["files"]})
    if "adapter" in manifest:
        adapter = manifest["adapter"]
        found["adapter"] = adapters / adapter["folder"]
        contents = {name: _adapter_file(planes, name) for name in adapter["files"]}
        _write_checked(found["adapter"], contents, adapter["files"])
    return found


def _restores(files: list[Path], manifest: dict[str, Any]) -> bool:
    planes = _read(files, manifest)
    whole = _sha256(_model_file(planes, manifest["target"])) == manifest["target"]["sha256"]
    hashes = manifest.get("adapter", {}).get("files", {})
    return whole and all(_sha256(_adapter_file(planes, name)) == found for name, found in hashes.items())


def _manifest(files: list[Path]) -> dict[str, Any]:
    for file in files:
        with zipfile.ZipFile(file) as archive:
            if MANIFEST in archive.namelist():
                return dict(json.loads(archive.read(MANIFEST)))
    raise MissingPart("The part with the manifest is not there.")


def _read(files: list[Path], manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """All planes whole."""
    chunks: dict[str, bytes] = {}
    packed: list[tuple[str, bytes]] = []
    for file in files:
        with zipfile.ZipFile(file) as archive:
            packed += [(name, archive.read(name)) for name in archive.namelist() if name != MANIFEST]
    with ThreadPoolExecutor() as pool:
        opened = pool.map(lambda m: lzma.decompress(m[1]) if m[0].endswith(".xz") else m[1], packed)
        for (name, _), data in zip(packed, opened, strict=True):
            chunks[name.removesuffix(".xz")] = data
    planes = {}
    for name, size in manifest["planes"].items():
        mine = [chunks.get(f"{name}/{i:03d}", b"") for i in range(max(-(-size // _CHUNK), 1))]
        planes[name] = b"".join(mine)
    lacking = [name for name, size in manifest["planes"].items() if len(planes[name]) != size]
    if lacking:
        raise MissingPart(f"A part is missing: {len(lacking)} planes are not whole, {lacking[0]} for one.")
    return planes


def _model_file(planes: Mapping[str, bytes], target: Mapping[str, Any]) -> bytes:
    """The bytes of model.safetensors: the packed head, then every tensor where the head says."""
    head = json.loads(target["head"])
    config = json.loads(planes["target/files/config.json"])
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    raw = target["head"].encode()
    start = 8 + len(raw)
    end = max(entry["data_offsets"][1] for name, entry in head.items() if name != "__metadata__")
    whole = np.zeros(start + end, np.uint8)
    whole[:start] = np.frombuffer(len(raw).to_bytes(8, "little") + raw, np.uint8)
    blocks = {kind: _blocks(planes, kind) for kind in {kind for _, kind, _ in target["tensors"]}}
    place = dict.fromkeys(blocks, 0)
    for name, kind, count in target["tensors"]:
        mine = blocks[kind][place[kind] : place[kind] + count]
        place[kind] += count
        entry = head[transformers_name(name)]
        values = to_bfloat16(QUANTISATIONS[kind].values(mine)).reshape(entry["shape"])
        permuted = next((n for leaf, n in heads.items() if f".{leaf}." in name), None)
        values = values if permuted is None else unpermuted(values, permuted)
        a, b = entry["data_offsets"]
        whole[start + a : start + b] = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    return whole.tobytes()


def _blocks(planes: Mapping[str, bytes], kind: str) -> Bytes:
    """(n, block bytes) from a quantisation's planes."""
    size, scales = QUANTISATIONS[kind].block, QUANTISATIONS[kind].scales
    quants = np.frombuffer(planes[f"target/{kind}/{scales}"], np.uint8).reshape(-1, size - scales)
    columns = [np.frombuffer(planes[f"target/{kind}/{i}"], np.uint8)[:, None] for i in range(scales)]
    return np.concatenate([*columns, quants], axis=1)


def _adapter_file(planes: Mapping[str, bytes], name: str) -> bytes:
    low, high = (np.frombuffer(planes[f"adapter/{name}/{part}"], np.uint8) for part in ("low", "high"))
    return np.stack([low[: len(high)], high], axis=1).tobytes() + low[len(high) :].tobytes()


def _write_checked(folder: Path, contents: Mapping[str, bytes], hashes: Mapping[str, str]) -> None:
    """Writes the files, the mark of a whole folder last; ValueError if one is not what was packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(contents, key=lambda n: n == COMPLETE):
        if _sha256(contents[name]) != hashes[name]:
            raise ValueError(f"{name} was not restored bit for bit.")
        part = folder / f".{name}.part"
        part.write_bytes(contents[name])
        part.replace(folder / name)


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(int.from_bytes(opened.read(8), "little")).decode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("out", type=Path)
    packing.add_argument("--gguf", type=Path, help="the default target's file; default: brought as the lab does")
    packing.add_argument("--adapter", type=Path, help="an adapter's folder that travels as well")
    packing.add_argument("--limit", type=int, default=LIMIT, help="bytes of a part")
    restoring = commands.add_parser("restore")
    restoring.add_argument("parts", type=Path)
    restoring.add_argument("--cache", type=Path, required=True)
    restoring.add_argument("--adapters", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "restore":
        for what, folder in restore(options.parts, options.cache, options.adapters).items():
            print(f"{what}: {folder}")
        return
    from ptp_core.storage.default_target import default_target, obtain_gguf, silent

    with tempfile.TemporaryDirectory() as scratch:
        gguf = options.gguf or obtain_gguf(Path(scratch), silent)
        files = pack(gguf, default_target(), options.out, options.adapter, options.limit)
    for file in files:
        print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
