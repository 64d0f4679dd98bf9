"""What a benchmark may be told."""

import pytest

from ptp_core.benchmark.config import BenchConfig, Point, parse_sweep


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"methods": ("ar", "magic")}, "magic"),
        ({"methods": ("ar", "ar")}, "twice"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"draft_budget": 999}, "draft_budget"),
        ({"num_speculative_tokens": 65}, "num_speculative_tokens"),
        ({"sweep": (Point("temperature", -1.0),)}, "temperature"),
        ({"repeats": 0}, "repeats"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        BenchConfig(**settings)


def test_sweeps_are_read_from_text():
    assert parse_sweep("draft_budget=0,8,auto") == tuple(Point("draft_budget", v) for v in (0, 8, "auto"))
    assert parse_sweep("temperature=0,0.7") == (Point("temperature", 0.0), Point("temperature", 0.7))
    for text in ("seed=1,2", "draft_budget", "draft_budget=", "num_speculative_tokens=2.5"):
        with pytest.raises(ValueError, match=r"sweep|no value"):
            parse_sweep(text)
