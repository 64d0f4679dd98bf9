"""The Race page: prompt, settings, the race itself, charts, the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from app import modules
from app.serving import theme
from app.serving.line import CONCURRENCY_ID, wait_place
from app.serving.models import ModelChoice, ModelShelf, models_allowed
from app.serving.store import stop_run, until_stopped
from app.serving.values import as_value

from .ask import AT_ONCE, IN_TURN, PRIVATE, build_ask, show_example, show_link, show_upload
from .charts import accepted_lengths, tokens_against_calls
from .events import RaceRunner
from .examples import FIRST
from .model_panel import kept_choice, model_panel
from .races import LANES, PARALLEL, RUNS
from .requests import export_run, fetch_steps, open_file, open_run


def build(shelf: ModelShelf) -> None:
    """Lays the page out inside the Blocks that are being built; its races run on the shelf's models."""
    runner = RaceRunner(shelf)
    choice = kept_choice()
    ask = build_ask("Run the race")
    race = gr.HTML(
        as_value({**open_run(f"recorded:{FIRST}"), "first": True}),
        html_template="<div class='ptp-race' tabindex='0' role='group' aria-label='Race'></div>",
        js_on_load=modules.mount("race/index.js", "opened"),
        server_functions=[fetch_steps, stop_run, wait_place, export_run, open_file],
        elem_id="ptp-race",
        apply_default_css=False,
    )
    with gr.Accordion("Charts", open=False, elem_id="ptp-charts"), gr.Row():
        plots = [gr.Plot(show_label=False, min_width=300), gr.Plot(show_label=False, min_width=300)]
    shown = gr.Textbox(visible=False)  # the id of the run on screen, which the charts are drawn from
    if models_allowed():
        model_panel(shelf, choice)

    def run(ticket: str, chosen: str, *values: Any) -> Iterator[dict[Any, Any]]:
        raw = dict(zip(ask.inputs, values, strict=True))
        for event in until_stopped(ticket, runner.run(ModelChoice.of_text(chosen), raw)):
            yield {race: as_value(event), **({shown: event["run"]} if event["event"] == "done" else {})}

    def open_example(name: str, method: str) -> dict[Any, Any]:
        return {**show_example(ask, race, name, method), shown: f"recorded:{name}"}

    def open_link(chosen: str, query: str, runs: str) -> dict[Any, Any]:
        own = ModelChoice.of_text(chosen) != ModelChoice()
        updates, run_shown = show_link(ask, race, own, query, bool(runs))
        return {**updates, shown: run_shown, choice: chosen}

    running = gr.on(
        [ask.run.click, ask.prompt.submit], run, [ask.ticket, choice, *ask.inputs.values()], [race, shown],
        concurrency_id=CONCURRENCY_ID, concurrency_limit=1, trigger_mode="multiple",
        js=modules.call("core/tickets.js", "asked"), **PRIVATE,
    )  # fmt: skip
    running.then(_charts, shown, plots, **AT_ONCE)
    running.failure(None, js=modules.call("core/tickets.js", "refused"), **AT_ONCE)
    race.opened(lambda value: _charts(json.loads(value).get("run", "")), race, plots, **AT_ONCE)
    race.opened(lambda value: show_upload(ask, json.loads(value).get("run", "")), race, ask.filled, **AT_ONCE)
    filled = [*ask.filled, race, shown]
    for name, button in ask.examples.items():
        opened = button.click(partial(open_example, name), ask.inputs["method"], filled, **AT_ONCE)
        opened.then(_charts, shown, plots, **AT_ONCE)
    linked = gr.on(
        None, open_link, ask.arrived, [*filled, choice], js=modules.call("core/tab.js", "opening"), **AT_ONCE
    )
    linked.then(ask.sentence, list(ask.adjustable.values()), ask.panel, **IN_TURN)
    linked.then(_charts, shown, plots, **AT_ONCE)


def _charts(run: str) -> list[Any]:
    race = RUNS.find(run)
    if race is None:
        return [gr.skip(), gr.skip()]
    lanes = {lane: race.steps(lane) for lane in LANES if lane in race.lanes}
    return [
        tokens_against_calls(lanes, theme.CHART_COLOURS),
        accepted_lengths(race.steps(PARALLEL), theme.CHART_COLOURS),
    ]
