"""Who decodes by the engine, and what happens where it cannot."""

import pytest
import torch
from support.emulated_graph import emulated_graph
from support.tiny_model import make_adapter, save_whole

from ptp_core import NoiseTape, generate, load_model
from ptp_core.engine.engine import Engine
from ptp_core.engine.switch import VARIABLE, check, is_wanted, switch_on
from ptp_core.model.second_adapter import with_adapter

from .conftest import build


@pytest.mark.parametrize(
    ("asked", "variable", "device", "zero", "expected"),
    [
        ("auto", None, "cpu", False, False),
        ("auto", None, "cuda", False, True),
        ("auto", None, "cuda:1", True, False),
        ("auto", "on", "cpu", False, True),
        ("auto", "off", "cuda", False, False),
        ("off", "on", "cuda", False, False),
        ("on", "off", "cpu", True, True),
    ],
)
def test_who_decides(monkeypatch, asked, variable, device, zero, expected):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    if variable:
        monkeypatch.setenv(VARIABLE, variable)
    if zero:
        monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert is_wanted(asked, device) is expected


def test_other_words_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="auto, on, off"):
        is_wanted("yes", "cpu")
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(ValueError, match=VARIABLE):
        is_wanted("auto", "cpu")


def test_load_model_takes_it_where_it_is_asked_for(tiny_folder, tmp_path, monkeypatch):
    save_whole(tmp_path / "a", make_adapter(chain=8))
    plain = load_model(tiny_folder, tmp_path / "a", device="cpu")
    assert plain.engine is None and plain.is_fast
    monkeypatch.setenv(VARIABLE, "on")
    model = load_model(tiny_folder, tmp_path / "a", device="cpu")
    assert isinstance(model.engine, Engine) and model.engine.capture is None
    assert model.notes == plain.notes
    texts = [generate(m, [3, 4, 5], "pqd", NoiseTape(2), draft_budget=9).tokens for m in (plain, model)]
    assert texts[0] == texts[1]


def test_a_model_that_the_engine_cannot_run_decodes_without_it_and_says_so(make_model):
    model = make_model(quick=True)
    assert "quick=False" in switch_on(model)
    assert model.engine is None


def test_the_check_finds_logits_that_are_not_the_models(make_pair):
    model = make_pair()[0]
    engine = Engine(model)
    assert check(model, engine) is None
    engine.network._layers.reverse()
    assert "model's own" in check(model, engine)


def test_a_capture_that_fails_leaves_the_model_without_the_engine(make_pair):
    def refuses(function):
        raise RuntimeError("no graphs here")

    model = make_pair()[0]
    assert "no graphs here" in switch_on(model, refuses)
    assert model.engine is None


def test_captured_calls_pass_the_check(make_pair):
    model = make_pair()[0]
    assert check(model, Engine(model, emulated_graph)) is None


def test_plain_decoding_in_its_own_best_shape(make_pair):
    plain = make_pair(chain=8)[0]
    model = build(torch.float32, True, 128, chain=8)
    model.engine = Engine(model, one_row=True)
    assert model.engine.lend(model, 16, 10).shape.rows == 1
    texts = [generate(m, [3, 4, 5], "ar", NoiseTape(2)).tokens for m in (plain, model)]
    assert texts[0] == texts[1]


def test_a_second_adapter_has_an_engine_of_its_own(make_pair):
    texts, drafts = [], []
    for model in make_pair(chain=8):
        twin = with_adapter(model, make_adapter(seed=9, chain=8))
        assert (twin.engine is None) == (model.engine is None)
        for each in (model, twin):
            trace = generate(each, [3, 4, 5], "pqd", NoiseTape(2), max_new_tokens=30, draft_budget=9)
            texts.append(trace.tokens)
            drafts.append([d.token for step in trace.steps for d in step.drafts])
    assert all(text == texts[0] for text in texts)
    assert drafts[:2] == drafts[2:]
    assert drafts[0] != drafts[1], "the adapters draft differently, so the test would see a mix-up"


def test_without_an_adapter_calls_have_no_slots(make_pair):
    plain, model = make_pair(adapter=False)
    for method in ("ar", "prompt_lookup"):
        texts = [generate(m, [3, 4, 3, 4], method, NoiseTape(2)).tokens for m in (plain, model)]
        assert texts[0] == texts[1]
    assert model.engine.lend(plain, 16, 10).shape.slots == 0
