"""Adapters as they come back from the world: a sentence, or an adapter that changes no text."""

import json
import random

import pytest
from support.damage import damaged, sentence_of
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole

from ptp_core import NoiseTape, generate, load_adapter
from ptp_core.model.ptp_model import PTPModel

SOME = 60


def test_damaged_adapters_decode_exactly_or_are_refused_in_a_sentence(tmp_path):
    save_whole(tmp_path, make_adapter(chain=8))
    whole = {name: (tmp_path / name).read_text() for name in ("adapter_config.json", "ptp_config.json")}
    options = {"noise": NoiseTape(1), "max_new_tokens": 6}
    text = generate(PTPModel(make_target(), make_tokenizer()), [2, 3, 4], "ar", **options).tokens
    decoded, refused = 0, set()
    for name, content in whole.items():
        for wounded in damaged(json.loads(content), SOME // 2, seed=2):
            (tmp_path / name).write_text(wounded, encoding="utf-8", errors="surrogatepass")
            try:
                model = PTPModel(make_target(), make_tokenizer(), load_adapter(tmp_path))
                for method in ("pqd", "shallow"):
                    if method != "shallow" or model.offers("shallow"):
                        assert generate(model, [2, 3, 4], method, draft_budget=9, **options).tokens == text
                decoded += 1
            except ValueError as error:
                refused.add(sentence_of(error))
        (tmp_path / name).write_text(content)
    assert decoded > 10 and len(refused) > 10, "the damage is neither harmless nor all of one kind"


def wounded_weights(whole: bytes, count: int, seed: int):
    """Copies of a safetensors file with a damaged head, a damaged length, cut off, or with other numbers inside."""
    length = int.from_bytes(whole[:8], "little")
    head, body = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    draw = random.Random(seed)
    for text in damaged(head, count // 2, seed):
        packed = text.encode("utf-8", "surrogatepass")
        yield len(packed).to_bytes(8, "little") + packed + body
    for _ in range(count - count // 2):
        place = draw.randrange(len(whole))
        yield draw.choice(
            (
                whole[:place],
                whole[: 8 + length] + b"\xff" * len(body),  # no number at all
                whole[:place] + bytes([draw.randrange(256)]) + whole[place + 1 :],
                draw.randrange(2**63).to_bytes(8, "little") + whole[8:],
                b"",
            )
        )


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "u_embed.safetensors", "chain.safetensors"])
def test_damaged_weights_decode_exactly_or_are_refused_in_a_sentence(tmp_path, name):
    save_whole(tmp_path, make_adapter(chain=8))
    whole, options = (tmp_path / name).read_bytes(), {"noise": NoiseTape(1), "max_new_tokens": 6}
    text = generate(PTPModel(make_target(), make_tokenizer()), [2, 3, 4], "ar", **options).tokens
    decoded, refused = 0, set()
    for content in wounded_weights(whole, 24, seed=3):
        (tmp_path / name).write_bytes(content)
        try:
            model = PTPModel(make_target(), make_tokenizer(), load_adapter(tmp_path))
            assert generate(model, [2, 3, 4], "pqd", draft_budget=9, **options).tokens == text
            decoded += 1
        except ValueError as error:
            refused.add(sentence_of(error))
    assert decoded > 0 and len(refused) > 2, "the damage is neither harmless nor all of one kind"
