"""The Noise page: a text, the tape of noise under it, and the visitor's hand on the needle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import modules
from app.race.ask import AT_ONCE, IN_TURN, NAMES, PRIVATE, build_ask, sentence_update, show_example, show_link
from app.race.events import export_run, fetch_steps, open_file, open_run, run_race
from app.race.examples import FIRST
from app.race.model_panel import model_panel
from app.serving import theme
from app.serving.models import CONCURRENCY_ID, ModelChoice, models_allowed
from app.serving.store import stop_run, until_stopped
from app.serving.values import as_value

from .events import draw_map, edit_noise
from .staircase_figure import staircase_figure


def build() -> None:
    """Lays the page out inside the Blocks that are being built."""
    choice = gr.State(ModelChoice())
    ask = build_ask("Write the text")
    noise = gr.HTML(
        as_value({**open_run(f"recorded:{FIRST}"), "first": True}),
        html_template="<div class='ptp-race ptp-noise' role='group' aria-label='Noise'></div>",
        js_on_load=modules.mount("noise/index.js", "edit", "draw"),
        server_functions=[fetch_steps, stop_run, export_run, open_file],
        elem_id="ptp-noise",
        apply_default_css=False,
    )
    stairs = gr.Plot(show_label=False, visible=False, elem_id="ptp-stairs")
    if models_allowed():
        model_panel(choice)

    in_line: dict[str, Any] = {
        "concurrency_id": CONCURRENCY_ID, "concurrency_limit": 1, "trigger_mode": "multiple", **PRIVATE,
    }  # fmt: skip
    running = gr.on(
        [ask.run.click, ask.prompt.submit], _run, [ask.ticket, choice, *ask.inputs], noise,
        js=modules.call("core/tickets.js", "queued"), **in_line,
    )  # fmt: skip
    editing = noise.edit(_edit, choice, noise, **in_line)
    drawing = noise.draw(_draw, choice, [noise, stairs], **in_line)
    for event in (running, editing, drawing):
        event.failure(None, js=modules.call("core/tickets.js", "refused"), **AT_ONCE)
    filled = [*ask.inputs, ask.panel, noise]
    for name, button in ask.examples.items():
        button.click(lambda name=name: show_example(name), outputs=filled, **AT_ONCE)
    opened = gr.on(None, _open_link, None, filled, **AT_ONCE)
    opened.then(sentence_update, ask.adjustable, ask.panel, **IN_TURN)


def _open_link(request: gr.Request) -> list[Any]:
    return show_link(request)[:-1]


def _run(ticket: str, choice: ModelChoice, *values: Any) -> Iterator[str]:
    for event in until_stopped(ticket, run_race(choice, **dict(zip(NAMES, values, strict=True)))):
        yield as_value(event)


def _edit(choice: ModelChoice, event: gr.EventData) -> Iterator[str]:
    request = dict(event._data)
    for told in until_stopped(str(request.get("ticket")), edit_noise(choice, request)):
        yield as_value(told)


def _draw(choice: ModelChoice, event: gr.EventData) -> Iterator[tuple[str, Any]]:
    request = dict(event._data)
    maps: list[Any] = []

    def told() -> Iterator[dict[str, Any]]:
        for message, found in draw_map(choice, request):
            maps[:] = [found]
            yield message

    for message in until_stopped(str(request.get("ticket")), told()):
        figure: Any = gr.skip()
        if message["event"] == "map" and message["kind"] == "staircase":
            figure = gr.update(value=staircase_figure(maps[0], theme.CHART_COLOURS), visible=True)
        yield as_value(message), figure
