"""A byte-level BPE of the `tokenizers` library as the browser reads it: tokens as bytes, merges as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ptp_core.json_text import read_json

# How the ByteLevel pre-tokenizer cuts a text into words.
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def vocabulary(folder: Path) -> dict[str, Any]:
    """The tokenizer in this folder:

    tokens    each token's bytes as text, a character (0 to 255) for a byte
    merges    [left, right, whole] token numbers, the earliest first
    cuts      regular expressions that cut a text one after the other; what they match stands alone
    special   token numbers by the text that stands for them
    begin     the tokens in front of every text
    eos       the tokens that end one

    Raises FileNotFoundError if it is not there, ValueError if it is no plain byte-level BPE.
    """
    raw = read_json(folder / "tokenizer.json", "tokenizer")
    model = raw["model"]
    if model.get("type") != "BPE" or raw.get("normalizer"):
        raise ValueError("The browser reads a byte-level BPE without a normalizer only.")
    bytes_of = {character: value for value, character in _characters().items()}
    added = {str(entry["content"]): int(entry["id"]) for entry in raw.get("added_tokens") or ()}
    numbers = {**model["vocab"], **added}
    tokens = [""] * (max(numbers.values()) + 1)
    for text, number in numbers.items():
        odd = number in added.values() or any(character not in bytes_of for character in text)
        tokens[number] = text if odd else "".join(chr(bytes_of[character]) for character in text)
    pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    eos = _ends(folder, added | model["vocab"])
    return {
        "tokens": tokens,
        "merges": [[numbers[left], numbers[right], numbers[left + right]] for left, right in pairs],
        "cuts": _cuts(raw.get("pre_tokenizer") or {}),
        "special": added,
        "begin": _begin(folder),
        "eos": eos,
    }


def _characters() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level vocabulary (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [value for value in range(256) if value not in printable]
    return {value: chr(value) for value in printable} | {value: chr(256 + i) for i, value in enumerate(others)}


def _cuts(pre: Mapping[str, Any]) -> list[str]:
    kind = pre.get("type")
    if kind == "Sequence":
        return [cut for part in pre["pretokenizers"] for cut in _cuts(part)]
    if kind == "ByteLevel" and not pre.get("add_prefix_space"):
        return [WORDS] if pre.get("use_regex", True) else []
    if kind == "Digits":
        return [r"\p{N}"] if pre.get("individual_digits") else [r"\p{N}+"]
    if kind == "Split" and pre.get("behavior") == "Isolated" and not pre.get("invert") and "Regex" in pre["pattern"]:
        return [str(pre["pattern"]["Regex"])]
    raise ValueError(f"The browser cannot cut a text as the pre-tokenizer {kind!r} does.")


def _begin(folder: Path) -> list[int]:
    """What the tokenizer puts in front of every text. ValueError if it puts something behind."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    if whole[len(whole) - len(bare) :] != bare:
        raise ValueError("The browser knows no tokens behind a text.")
    return list(whole[: len(whole) - len(bare)])


def _ends(folder: Path, numbers: Mapping[str, int]) -> list[int]:
    """The tokens that end a text: those of the model's configurations and of the tokenizer's."""
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        if (folder / name).is_file():
            value = read_json(folder / name, "configuration").get("eos_token_id")
            values: Sequence[int] = [value] if isinstance(value, int) else value or []
            found.update(values)
    if (folder / "tokenizer_config.json").is_file():
        token = read_json(folder / "tokenizer_config.json", "configuration").get("eos_token")
        text = token.get("content") if isinstance(token, dict) else token
        found.update([numbers[text]] if isinstance(text, str) and text in numbers else [])
    return sorted(found)
