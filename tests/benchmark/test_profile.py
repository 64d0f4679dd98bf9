"""Where a call's time goes."""

import pytest
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core import NoiseTape, PTPModel, SamplingConfig
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.profile import _summary, _Tally, profile_methods
from ptp_core.benchmark.questions import Question
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.decoding.slots import SlotRule
from ptp_core.engine.engine import Engine


def test_a_profile_of_calls_without_slots_bills_their_layers_to_the_target(make_model):
    settings = DecodeSettings(max_new_tokens=6)
    run = _Tally(make_model(), [3, 5, 4], NoiseTape(1), SamplingConfig(), settings, 3, SlotRule(), synchronize=None)
    for lengths in ([0], [4], [0], [0]):
        run.call([], lengths)
    plain = _summary([run])
    assert run.calls == 3
    assert plain["parts"]["target"] == pytest.approx(1e3 * run.extra.seconds["without slots"] / 3)
    alone = _Tally(make_model(), [3, 5, 4], NoiseTape(1), SamplingConfig(), settings, 3, SlotRule(), synchronize=None)
    for _ in range(4):
        alone.call([], [0])
    assert alone.extra.seconds["without delta"] == alone.extra.seconds["without slots"]
    assert alone.extra.seconds["without slots"] == pytest.approx(alone.laps.seconds["body"])


def test_calls_of_the_engine_are_profiled_as_one_piece():
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(chain=8), name="tiny").eval()
    model.engine = Engine(model)
    found = profile_methods(model, [Question("1", "ab", "abc")], BenchConfig(("ar", "pqd"), max_new_tokens=8))
    for figures in found["methods"].values():
        assert figures["calls"] > 0
        assert figures["parts"]["target"] > 0
        assert figures["parts"].get("slot_delta", 0) == 0
