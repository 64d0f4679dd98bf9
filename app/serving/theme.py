"""Colours, glyphs and css: the one place that knows how a status looks.

A status never shows by colour alone: it has a border style and a glyph as well.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

STATIC = Path(__file__).resolve().parents[1] / "static"
STYLES = ("base.css", "race.css", "noise.css", "acceptance.css", "learn.css", "tab.css")

LIGHT = {
    "paper": "#FBFAF7", "panel": "#FFFFFF", "ink": "#1B2230", "soft": "#5D6677", "line": "#E3E0D8", "block": "#E1DED5",
    "accepted": "#0B6E6D", "accepted-bg": "#DDF1EF", "recovered": "#94550A", "recovered-bg": "#FCEBD0",
    "bonus": "#3357A4", "bonus-bg": "#E0E8FA", "rejected": "#A93425", "rejected-bg": "#FBE3DF", "draft": "#666E7F",
    "accent": "#0E7C7B", "on-accent": "#FFFFFF",
}  # fmt: skip
DARK = {
    "paper": "#12151B", "panel": "#1A1E27", "ink": "#E8EBF2", "soft": "#9AA3B5", "line": "#2B313E", "block": "#2B313E",
    "accepted": "#4FC7BF", "accepted-bg": "#173B3C", "recovered": "#F0B35A", "recovered-bg": "#45331A",
    "bonus": "#8FB0FF", "bonus-bg": "#22305A", "rejected": "#FF8F7D", "rejected-bg": "#4A241F", "draft": "#939DB1",
    "accent": "#4FC7BF", "on-accent": "#0E1319",
}  # fmt: skip

# status: (glyph, border style, what it means)
STATUS = {
    "accepted": ("", "solid", "drafted and right"),
    "recovered": ("◥", "solid", "corrected: the target's own token in place of the first wrong draft"),
    "bonus": ("+", "solid", "free extra: one more token of the target, since all drafts were right"),
    "rejected": ("×", "solid", "drafted and wrong"),
    "discarded": ("·", "dotted", "thrown away: it stood behind the first wrong draft"),
    "settled": ("=", "dotted", "placeholder for the token that the check itself decides"),
    "pending": ("", "dashed", "drafted for the next call"),
    "unused": ("", "dashed", "drafted for an outcome that did not come true"),
}

CHART_COLOURS = {"plain": "#8A8778", "parallel": "#16918E", "ink": "#7C8698", "line": "rgba(128,136,152,0.25)"}


def variables() -> str:
    """The colours, light and dark, and the statuses' glyphs, as css variables."""

    def block(selector: str, colours: dict[str, str]) -> str:
        return selector + " {" + "".join(f"--ptp-{name}: {value};" for name, value in colours.items()) + "}\n"

    glyphs = {f"glyph-{status}": f'"{glyph}"' for status, (glyph, _, _) in STATUS.items() if glyph}
    return block(":root", LIGHT | glyphs) + block(".dark", DARK)


def css() -> str:
    return variables() + "".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)


def theme() -> gr.themes.Base:
    """Gradio's own parts in the lab's colours; fonts of the system, so that nothing is fetched."""
    sans = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace")
    base = gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", font=list(sans), font_mono=list(mono), radius_size="lg"
    )
    return base.set(
        body_background_fill=LIGHT["paper"], body_background_fill_dark=DARK["paper"],
        body_text_color=LIGHT["ink"], body_text_color_dark=DARK["ink"],
        body_text_color_subdued=LIGHT["soft"], body_text_color_subdued_dark=DARK["soft"],
        background_fill_primary=LIGHT["panel"], background_fill_primary_dark=DARK["panel"],
        background_fill_secondary=LIGHT["paper"], background_fill_secondary_dark=DARK["paper"],
        block_background_fill=LIGHT["panel"], block_background_fill_dark=DARK["panel"],
        block_border_color=LIGHT["line"], block_border_color_dark=DARK["line"],
        border_color_primary=LIGHT["line"], border_color_primary_dark=DARK["line"],
        input_background_fill=LIGHT["panel"], input_background_fill_dark=DARK["panel"],
        button_primary_background_fill=LIGHT["accent"], button_primary_background_fill_dark=DARK["accent"],
        button_primary_background_fill_hover="#0B6968", button_primary_background_fill_hover_dark="#73D6CF",
        button_primary_text_color=LIGHT["on-accent"], button_primary_text_color_dark=DARK["on-accent"],
        button_secondary_background_fill=LIGHT["panel"], button_secondary_background_fill_dark=DARK["panel"],
        button_secondary_text_color=LIGHT["ink"], button_secondary_text_color_dark=DARK["ink"],
        button_secondary_border_color=LIGHT["line"], button_secondary_border_color_dark=DARK["line"],
        slider_color=LIGHT["accent"], slider_color_dark=DARK["accent"],
        block_shadow="none", block_label_text_color=LIGHT["soft"], block_label_text_color_dark=DARK["soft"],
    )  # fmt: skip
