"""The Noise page: a text, the tape of noise under it, and the visitor's hand on the needle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from app import modules
from app.race.ask import AT_ONCE, IN_TURN, PRIVATE, build_ask, show_example, show_link
from app.race.events import RaceRunner
from app.race.examples import FIRST_TEXT
from app.race.model_panel import kept_choice, model_panel
from app.race.requests import export_run, fetch_steps, open_file
from app.serving import theme
from app.serving.line import CONCURRENCY_ID, wait_place
from app.serving.models import ModelChoice, ModelShelf, models_allowed
from app.serving.store import stop_run, until_stopped
from app.serving.values import Event, as_value
from ptp_core.maps.staircase import Staircase

from .agreement import agreement
from .events import NoiseRunner, opening
from .recordings import recorded_maps
from .staircase_figure import staircase_figure


def build(shelf: ModelShelf) -> None:
    """Lays the page out inside the Blocks that are being built; texts and maps come from the shelf's models."""
    racer, runner = RaceRunner(shelf), NoiseRunner(shelf)
    choice = kept_choice()
    ask = build_ask("Write the text", FIRST_TEXT)
    noise = gr.HTML(
        as_value(opening()),
        html_template="<div class='ptp-race ptp-noise' role='group' aria-label='Noise'></div>",
        js_on_load=modules.mount("noise/index.js", "edit", "draw"),
        server_functions=[fetch_steps, stop_run, wait_place, export_run, open_file, agreement],
        elem_id="ptp-noise",
        apply_default_css=False,
    )
    recorded = recorded_maps().get("staircase")
    figure = staircase_figure(recorded, theme.CHART_COLOURS) if recorded else None
    stairs = gr.Plot(figure, show_label=False, visible=figure is not None, elem_id="ptp-stairs")
    if models_allowed():
        model_panel(shelf, choice)

    def run(ticket: str, chosen: str, *values: Any) -> Iterator[str]:
        raw = dict(zip(ask.inputs, values, strict=True))
        yield from map(as_value, until_stopped(ticket, racer.run(ModelChoice.of_text(chosen), raw)))

    def edit(chosen: str, event: gr.EventData) -> Iterator[str]:
        request = dict(event._data)
        yield from map(
            as_value, until_stopped(str(request.get("ticket")), runner.edit(ModelChoice.of_text(chosen), request))
        )

    def draw(chosen: str, event: gr.EventData) -> Iterator[dict[Any, Any]]:
        request = dict(event._data)
        found: Any = None

        def told() -> Iterator[Event]:
            nonlocal found
            for message, found in runner.draw(ModelChoice.of_text(chosen), request):  # noqa: B007
                yield message

        for message in until_stopped(str(request.get("ticket")), told()):
            update: dict[Any, Any] = {noise: as_value(message)}
            if isinstance(found, Staircase):
                update[stairs] = gr.update(value=staircase_figure(found, theme.CHART_COLOURS), visible=True)
            yield update

    in_line: dict[str, Any] = {
        "concurrency_id": CONCURRENCY_ID, "concurrency_limit": 1, "trigger_mode": "multiple", **PRIVATE,
    }  # fmt: skip
    running = gr.on(
        [ask.run.click, ask.prompt.submit, ask.inputs["coupling"].input],
        run, [ask.ticket, choice, *ask.inputs.values()], noise,
        js=modules.call("core/tickets.js", "asked"), **in_line,
    )  # fmt: skip
    editing = noise.edit(edit, choice, noise, **in_line)
    drawing = noise.draw(draw, choice, [noise, stairs], **in_line)
    for event in (running, editing, drawing):
        event.failure(None, js=modules.call("core/tickets.js", "refused"), **AT_ONCE)
    filled = [*ask.filled, noise]
    for name, button in ask.examples.items():
        button.click(partial(show_example, ask, noise, name), ask.inputs["method"], filled, **AT_ONCE)

    def open_link(chosen: str, query: str, runs: str) -> dict[Any, Any]:
        own = ModelChoice.of_text(chosen) != ModelChoice()
        return {**show_link(ask, noise, own, query, bool(runs))[0], choice: chosen}

    linked = gr.on(
        None, open_link, ask.arrived, [*filled, choice], js=modules.call("core/tab.js", "opening"), **AT_ONCE
    )
    linked.then(ask.sentence, list(ask.adjustable.values()), ask.panel, **IN_TURN)
