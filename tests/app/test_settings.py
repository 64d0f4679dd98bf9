"""What a visitor may set, and the links that carry it."""

from urllib.parse import parse_qsl

import gradio as gr
import pytest

from app.main import watch_threads
from app.race.ask import build_ask
from app.settings import ASKED, RunSettings
from ptp_core import SamplingConfig
from ptp_core.methods import AHEAD, METHODS, RACED, TABLE


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"prompt": ""}, "Type a prompt"),
        ({"prompt": None}, "Type a prompt"),
        ({"prompt": "x" * 300_000}, "300,000 characters"),
        ({"prompt": "a", "temperature": float("nan")}, "temperature"),
        ({"prompt": "a", "temperature": -1}, "temperature"),
        ({"prompt": "a", "temperature": "hot"}, "temperature"),
        ({"prompt": "a", "top_k": 2.5}, "top-k"),
        ({"prompt": "a", "top_p": 0}, "top-p"),
        ({"prompt": "a", "seed": None}, "seed"),
        ({"prompt": "a", "seed": -1}, "seed"),
        ({"prompt": "a", "max_new_tokens": 100_000}, "tokens"),
        ({"prompt": "a", "draft_budget": "lots"}, "draft budget"),
        ({"prompt": "a", "draft_budget": 1000}, "draft budget"),
        ({"prompt": "a", "num_speculative_tokens": 99}, "drafts"),
        ({"prompt": "a", "method": "magic"}, "Unknown method"),
    ],
)
def test_bad_settings_get_a_sentence(raw, reason):
    with pytest.raises(ValueError, match=reason) as error:
        RunSettings.parse(**raw)
    assert str(error.value).endswith(".")


def test_links_carry_the_settings():
    settings = RunSettings.parse(prompt="a & b?", chat=False, seed=9, temperature=0, draft_budget="8")
    assert RunSettings.of_query(dict(parse_qsl(settings.query()))) == settings
    assert RunSettings("hello").query() == "prompt=hello"
    for method, budget in (("shallow", "auto"), ("shallow", 8), ("pqd", "auto"), ("pqd", 8)):
        settings = RunSettings.parse(prompt="a", method=method, draft_budget=budget)
        assert RunSettings.of_query(dict(parse_qsl(settings.query()))) == settings
    assert RunSettings.parse(prompt="a", method="shallow").query() == "prompt=a"
    assert RunSettings.parse(prompt="a", method="pqd").query() == "prompt=a&method=pqd"


def test_links_beyond_the_pages_sliders_get_a_sentence():
    for name, value in (("temperature", "4"), ("top_k", "5000"), ("top_p", "0.02"), ("num_speculative_tokens", "16")):
        with pytest.raises(ValueError, match=f"In this link, {name} must lie between"):
            RunSettings.of_query({"prompt": "a", name: value})
        assert RunSettings.parse(prompt="a", **{name: value})


@pytest.mark.parametrize("method", RACED)
def test_a_setting_that_is_left_out_is_the_core_s_own_or_the_method_s(method):
    settings = RunSettings.parse(prompt="a", method=method)
    assert settings.sampling == SamplingConfig()
    assert settings.decoding.draft_budget == ("auto" if TABLE[method].drafts == AHEAD else 8)
    assert RunSettings.parse(**settings.values()) == settings
    assert RunSettings.parse(prompt="a", method=method, draft_budget="") == settings


def test_only_raced_methods_can_be_raced():
    with pytest.raises(ValueError, match="Unknown method 'ar'"):
        RunSettings.parse(prompt="a", method="ar")
    assert RunSettings.parse(prompt="a", method="ar", among=METHODS).method == "ar"


@pytest.mark.parametrize("value", ["none", "0", "-2", "1.5"])
def test_a_number_of_threads_that_cannot_be_is_a_sentence(monkeypatch, value):
    monkeypatch.setenv("PTP_LAB_THREADS", value)
    with pytest.raises(SystemExit, match="PTP_LAB_THREADS"):
        watch_threads()


def test_the_browser_knows_the_inputs_of_the_line_in_their_order():
    with gr.Blocks():
        assert tuple(build_ask("Run").inputs) == ASKED
