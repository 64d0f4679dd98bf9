"""What a visitor may set, and the links that carry it."""

from urllib.parse import parse_qsl

import pytest

from app.settings import RaceSettings, settings_of_query


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
        ({"prompt": "a", "method": "magic"}, "drafts by one of"),
    ],
)
def test_bad_settings_get_a_sentence(raw, reason):
    with pytest.raises(ValueError, match=reason) as error:
        RaceSettings.parse(**raw)
    assert str(error.value).endswith(".")


def test_links_carry_the_settings():
    settings = RaceSettings.parse(prompt="a & b?", chat=False, seed=9, temperature=0, draft_budget="8")
    assert settings_of_query(dict(parse_qsl(settings.query()))) == settings
    assert RaceSettings("hello").query() == "prompt=hello"
    for method, budget in (("shallow", "auto"), ("shallow", 8), ("pqd", "auto"), ("pqd", 8)):
        settings = RaceSettings.parse(prompt="a", method=method, draft_budget=budget)
        assert settings_of_query(dict(parse_qsl(settings.query()))) == settings
    assert RaceSettings.parse(prompt="a", method="shallow").query() == "prompt=a"
    assert RaceSettings.parse(prompt="a", method="pqd").query() == "prompt=a&method=pqd"


def test_links_beyond_the_pages_sliders_get_a_sentence():
    for name, value in (("temperature", "4"), ("top_k", "5000"), ("top_p", "0.02"), ("num_speculative_tokens", "16")):
        with pytest.raises(ValueError, match=f"In this link, {name} must lie between"):
            settings_of_query({"prompt": "a", name: value})
        assert RaceSettings.parse(prompt="a", **{name: value})
