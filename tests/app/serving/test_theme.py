"""The look: contrast, and one table of statuses."""

import pytest

from app.serving import theme


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_has_contrast_on_every_ground_it_stands_on(colours):
    grounds = {"ink": ("paper", "panel", "accepted-bg", "recovered-bg", "bonus-bg", "rejected-bg", "block")}
    grounds |= {"soft": ("paper", "panel"), "draft": ("paper", "panel"), "rejected": ("rejected-bg", "panel")}
    grounds |= {
        "accepted": ("accepted-bg",),
        "recovered": ("recovered-bg",),
        "bonus": ("bonus-bg",),
        "on-accent": ("accent",),
    }
    poor = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, names in grounds.items()
        for ground in names
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert poor == {}


def test_glyphs_have_one_source():
    for status, (glyph, _, _) in theme.STATUS.items():
        assert (f'--ptp-glyph-{status}: "{glyph}";' in theme.css()) == bool(glyph)
    for path in theme.STATIC.rglob("*"):
        if path.suffix in (".js", ".css"):
            assert "◥" not in path.read_text(encoding="utf-8"), path
