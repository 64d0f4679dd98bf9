"""The look: contrast, and one table of statuses."""

import itertools
import math
import re

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


# how eyes that lack one kind of cone see linear red, green and blue (Machado, Oliveira and Fernandes 2009)
SEEN = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab(colour, seen):
    """CIE L*, a*, b* of a colour as these eyes see it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    r, g, b = (min(1, max(0, sum(x * y for x, y in zip(row, linear, strict=True)))) for row in seen)
    white = ((0.4124, 0.3576, 0.1805, 0.9505), (0.2126, 0.7152, 0.0722, 1), (0.0193, 0.1192, 0.9505, 1.089))
    xyz = [(kr * r + kg * g + kb * b) / most for kr, kg, kb, most in white]
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("eyes", SEEN)
def test_colours_of_tokens_are_told_apart_by_colour_blind_eyes(eyes):
    keys = dict(re.findall(r"\.ptp-key-(\d) { fill: (#[0-9A-F]{6}); --key: \2; }", theme.css()))
    assert len(keys) == 7
    grounds = {"light": theme.LIGHT["block"], "dark": theme.DARK["block"]}
    seen = {name: lab(colour, SEEN[eyes]) for name, colour in {**keys, **grounds}.items()}
    pairs = itertools.combinations(seen, 2)
    close = {pair: round(math.dist(seen[pair[0]], seen[pair[1]]), 1) for pair in pairs if set(pair) != set(grounds)}
    assert {pair: apart for pair, apart in close.items() if apart < 12} == {}


def test_glyphs_have_one_source():
    for status, (glyph, _, _) in theme.STATUS.items():
        assert (f'--ptp-glyph-{status}: "{glyph}";' in theme.css()) == bool(glyph)
    for path in theme.STATIC.rglob("*"):
        if path.suffix in (".js", ".css"):
            assert "◥" not in path.read_text(encoding="utf-8"), path
