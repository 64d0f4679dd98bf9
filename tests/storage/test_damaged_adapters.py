"""Adapters as they come back from the world: a sentence, or an adapter that changes no text."""

import json

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
