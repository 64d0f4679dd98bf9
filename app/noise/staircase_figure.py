"""The staircase of one position as a Plotly picture."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.race.charts import finished
from ptp_core.maps.staircase import Staircase

from .view import without_u

_TOP = -0.8  # where u's axis lies, above the first token


def staircase_figure(stairs: Staircase, colours: Mapping[str, str]) -> go.Figure:
    """Histogram beside inverse CDF, u dropped on it from its axis: down to the stair, then across to the token."""
    shown = sorted(stairs.target.candidates, key=lambda c: c.left)[:24]
    names = [f"{i + 1} {_label(c.text)}" for i, c in enumerate(shown)]
    place = {c.token: i for i, c in enumerate(shown)}
    figure = make_subplots(cols=2, shared_yaxes=True, column_widths=[0.36, 0.64], horizontal_spacing=0.02)
    rows = list(range(len(shown)))
    figure.add_bar(
        x=[c.prob for c in shown], y=rows, orientation="h", name="target", marker_color=colours["plain"],
        hovertext=names, hoverinfo="text+x", row=1, col=1,
    )  # fmt: skip
    steps_x = [edge for c in shown for edge in (c.left, c.right)]
    steps_y = [i for i in rows for _ in range(2)]
    figure.add_scatter(
        x=steps_x, y=steps_y, mode="lines", name="target: u to token", line={"color": colours["plain"], "width": 3},
        row=1, col=2,
    )  # fmt: skip
    if stairs.kind:
        xs: list[float | None] = []
        ys: list[int | None] = []
        shares = dict.fromkeys(place, 0.0)
        for stretch in stairs.draft:
            if stretch.tokens[0] in place:
                i = place[stretch.tokens[0]]
                xs, ys = [*xs, stretch.left, stretch.right, None], [*ys, i, i, None]
                shares[stretch.tokens[0]] += stretch.right - stretch.left
        name = "draft's argmax" if stairs.kind == "argmax" else "draft's distribution"
        figure.add_bar(
            x=list(shares.values()), y=[place[t] for t in shares], orientation="h", name=name,
            marker_color=colours["parallel"], row=1, col=1,
        )  # fmt: skip
        figure.add_scatter(
            x=xs, y=ys, mode="lines", name="draft: u to token", showlegend=False,
            line={"color": colours["parallel"], "width": 3, "dash": "dot"}, row=1, col=2,
        )  # fmt: skip
    if stairs.blind in place:
        figure.add_scatter(
            x=[0, 1], y=[place[stairs.blind]] * 2, mode="lines", name=without_u(stairs.blind_by),
            line={"color": colours["ink"], "width": 1.5, "dash": "dot"}, row=1, col=2,
        )  # fmt: skip
    u, token = stairs.target.u, stairs.target.token
    if token in place:
        figure.add_scatter(
            x=[u, u, 0], y=[_TOP, place[token], place[token]], mode="lines+markers", name=f"u = {u:.4f}",
            line={"color": colours["ink"], "width": 1.5, "dash": "dash"}, marker={"size": [0, 8, 0]}, row=1, col=2,
        )  # fmt: skip
    finished(
        figure, f"Token {stairs.target.position + 1}: probability, and the staircase that u falls on", "", "", colours
    )
    ends = [len(shown) - 0.4, _TOP]  # the first token on top
    figure.update_yaxes(tickvals=rows, ticktext=names, range=ends, rangemode="normal", title=None)
    figure.update_xaxes(title="probability", col=1)
    figure.update_xaxes(title="u", range=[0, 1], side="top", showline=True, linecolor=colours["ink"], col=2)
    figure.update_layout(
        height=max(330, 110 + 22 * len(shown)), barmode="group", margin={"l": 110, "t": 95},
        title={"y": 0.98, "yanchor": "top"}, legend={"y": -0.06, "yanchor": "top", "x": 1, "xanchor": "right"},
    )  # fmt: skip
    return figure


def _label(text: str) -> str:
    """A token's text on an axis: visible white space, no markup."""
    shown = text.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")
