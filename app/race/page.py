"""The Race page: prompt, settings, the race itself, charts, the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import modules
from app.serving import theme
from app.serving.models import CONCURRENCY_ID, ModelChoice, models_allowed
from app.serving.store import stop_run, until_stopped
from app.serving.values import as_value

from .ask import AT_ONCE, IN_TURN, NAMES, PRIVATE, build_ask, sentence_update, show_example, show_link
from .charts import accepted_lengths, tokens_against_calls
from .events import export_run, fetch_steps, open_file, open_run, run_race
from .examples import FIRST
from .model_panel import model_panel
from .races import LANES, RUNS


def build() -> None:
    """Lays the page out inside the Blocks that are being built."""
    choice = gr.State(ModelChoice())
    ask = build_ask("Run the race")
    race = gr.HTML(
        as_value({**open_run(f"recorded:{FIRST}"), "first": True}),
        html_template="<div class='ptp-race' tabindex='0' role='group' aria-label='Race'></div>",
        js_on_load=modules.mount("race/index.js", "opened"),
        server_functions=[fetch_steps, stop_run, export_run, open_file],
        elem_id="ptp-race",
        apply_default_css=False,
    )
    with gr.Accordion("Charts", open=False, elem_id="ptp-charts"), gr.Row():
        plots = [gr.Plot(show_label=False, min_width=300), gr.Plot(show_label=False, min_width=300)]
    shown = gr.Textbox(visible=False)  # the id of the run on screen, which the charts are drawn from
    if models_allowed():
        model_panel(choice)

    running = gr.on(
        [ask.run.click, ask.prompt.submit], _run, [ask.ticket, choice, *ask.inputs], [race, shown],
        concurrency_id=CONCURRENCY_ID, concurrency_limit=1, trigger_mode="multiple",
        js=modules.call("core/tickets.js", "queued"), **PRIVATE,
    )  # fmt: skip
    running.then(_charts, shown, plots, **AT_ONCE)
    running.failure(None, js=modules.call("core/tickets.js", "refused"), **AT_ONCE)
    race.opened(lambda value: _charts(json.loads(value).get("run", "")), race, plots, **AT_ONCE)
    filled = [*ask.inputs, ask.panel, race]
    for name, button in ask.examples.items():
        button.click(
            lambda name=name: [*show_example(name), f"recorded:{name}"], outputs=[*filled, shown], **AT_ONCE
        ).then(_charts, shown, plots, **AT_ONCE)
    opened = gr.on(None, show_link, None, [*filled, shown], **AT_ONCE)
    opened.then(sentence_update, ask.adjustable, ask.panel, **IN_TURN)
    opened.then(_charts, shown, plots, **AT_ONCE)


def _run(ticket: str, choice: ModelChoice, *values: Any) -> Iterator[tuple[Any, Any]]:
    for event in until_stopped(ticket, run_race(choice, **dict(zip(NAMES, values, strict=True)))):
        yield as_value(event), event["run"] if event["event"] == "done" else gr.skip()


def _charts(run: str) -> list[Any]:
    if not run:
        return [gr.skip(), gr.skip()]
    try:
        race = RUNS.get(run)
    except KeyError:
        return [gr.skip(), gr.skip()]
    lanes = {lane: race.steps(lane) for lane in LANES if lane in race.lanes}
    return [
        tokens_against_calls(lanes, theme.CHART_COLOURS),
        accepted_lengths(race.steps("ptp"), theme.CHART_COLOURS),
    ]
