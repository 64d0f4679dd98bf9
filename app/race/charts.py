"""Plotly pictures that stand still. Colours come from the caller, so that they fit both themes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ptp_core.trace import DecodeStep

from .races import BASELINE, PARALLEL

NAMES = {BASELINE: "autoregressive", PARALLEL: "parallel"}
_COLOURS = {BASELINE: "plain", PARALLEL: "parallel"}


def tokens_against_calls(lanes: Mapping[str, Sequence[DecodeStep]], colours: Mapping[str, str]) -> go.Figure:
    """Verified tokens after each model call, one line per lane."""
    figure = go.Figure()
    for lane, steps in lanes.items():
        counts = [0]
        for step in steps:
            counts.append(counts[-1] + len(step.emitted))
        figure.add_scatter(
            x=list(range(len(counts))), y=counts, mode="lines", line_shape="hv", name=NAMES[lane],
            line={"color": colours[_COLOURS[lane]], "dash": "solid" if lane == PARALLEL else "dot", "width": 2.5},
        )  # fmt: skip
    return finished(figure, "Tokens against model calls", "model calls", "verified tokens", colours)


def accepted_lengths(steps: Sequence[DecodeStep], colours: Mapping[str, str]) -> go.Figure:
    """How many tokens each verifying call brought."""
    counts = Counter(step.num_accepted + 1 for step in steps if step.drafts)
    longest = max(counts, default=1)
    lengths = list(range(1, longest + 1))
    figure = go.Figure()
    figure.add_bar(
        x=lengths, y=[counts[n] for n in lengths], marker_color=colours[_COLOURS[PARALLEL]],
        text=[counts[n] for n in lengths], textangle=0, name="calls",
    )  # fmt: skip
    figure.update_xaxes(dtick=1)
    total = sum(counts.values())
    return finished(figure, f"Tokens per verifying call ({total} calls)", "tokens", "calls", colours)


def finished(figure: go.Figure, title: str, x: str, y: str, colours: Mapping[str, str]) -> go.Figure:
    """The figure in the lab's look: title, axis labels, no background of its own."""
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        margin={"l": 50, "r": 15, "t": 45, "b": 45},
        height=280,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colours["ink"], "family": "system-ui, sans-serif"},
        legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
    )
    grid = {"gridcolor": colours["line"], "zerolinecolor": colours["line"]}
    figure.update_xaxes(title=x, **grid)
    figure.update_yaxes(title=y, rangemode="tozero", **grid)
    return figure
