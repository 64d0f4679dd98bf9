"""Outside peers run the same weights with the lab's settings, whatever the model's files say besides."""

import json

import pytest

from ptp_core import load_model
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.runner import Lineup, run_bench

SETTINGS = [
    {},
    {"repetition_penalty": 1.3},
    {"num_beams": 4, "num_return_sequences": 2},
    {"prompt_lookup_num_tokens": 3},
    {"stop_strings": ["a"]},
    {"return_dict_in_generate": True},
    {"use_cache": False},
    {"min_new_tokens": 30, "no_repeat_ngram_size": 2, "suppress_tokens": [3, 4], "min_p": 0.9},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_greedy_peers_give_the_tokens_of_ar(tiny_folder, settings):
    (tiny_folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 0, **settings}))
    config = BenchConfig(("ar", "hf_generate", "hf_prompt_lookup"), max_new_tokens=24, temperature=0, top_k=0, top_p=1)
    rows = run_bench(Lineup(load_model(tiny_folder)), [Question("0", "x", "abcabc"), Question("1", "x", "hgf")], config)
    for number in ("0", "1"):
        own, plain, lookup = (row for row in rows if row.question_id == number)
        assert plain.tokens == lookup.tokens == own.tokens and len(own.tokens) > 3
        assert plain.num_calls == own.num_calls >= lookup.num_calls
