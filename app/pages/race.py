"""The Race page: prompt, settings, the race itself, charts, the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import theme
from app.handlers import (
    BUDGETS,
    RaceSettings,
    export_run,
    fetch_steps,
    open_file,
    open_run,
    recorded_for,
    run_race,
    settings_of_query,
    stop_run,
    until_stopped,
)
from app.runs import LANES
from app.runtime import CONCURRENCY_ID, MAX_NEW_TOKENS, RUNS, SHELF, ModelChoice, models_allowed
from app.views.charts import accepted_lengths, tokens_against_calls
from app.views.race import as_value

EXAMPLES = {  # name -> (button, prompt); the recorded race of each has the same name
    "sky": ("explanation", "Why is the sky blue?"),
    "code": ("code", "Write a Python function that checks whether a word is a palindrome."),
    "list": ("list", "List five tips for learning a new language."),
    "story": ("story", "Tell me a short story about a lighthouse keeper and a storm."),
    "translation": ("translation", "Translate to French: Where is the nearest train station?"),
}
FIRST = "sky"
DEFAULTS = RaceSettings(EXAMPLES[FIRST][1])


def settings_sentence(
    chat: bool, temperature: float, top_k: float, top_p: float, count: float, drafts: float, budget: Any
) -> str:
    """The settings folded into one line."""
    filters = f"top-k {top_k:g}" if top_k else "top-k off"
    filters += f" · top-p {top_p:g}" if top_p < 1 else " · top-p off"
    heat = f"temperature {temperature:g}" if temperature else "greedy"
    shape = "" if chat else " · no chat template"
    return f"Settings: {heat} · {filters} · {count:g} tokens · drafts {drafts:g} · budget {budget}{shape}"


def build() -> None:
    """Lays the page out inside the Blocks that are being built."""
    choice = gr.State(ModelChoice())
    with gr.Row(elem_id="ptp-ask", equal_height=True):
        prompt = gr.Textbox(
            DEFAULTS.prompt, label="Prompt", show_label=False, container=False, lines=1, max_lines=8, scale=8,
            placeholder="Ask something, or paste a text", elem_id="ptp-prompt", min_width=240,
        )  # fmt: skip
        with gr.Row(elem_id="ptp-seed-box", scale=1):
            dice = gr.Button("⚄", elem_id="ptp-dice", min_width=44, scale=0)
            seed = gr.Number(
                DEFAULTS.seed, label="Seed", show_label=False, container=False, precision=0,
                elem_id="ptp-seed", min_width=90, scale=1,
            )  # fmt: skip
        run = gr.Button("Run the race", variant="primary", elem_id="ptp-run", min_width=160, scale=0)
        stop = gr.Button("Stop", elem_id="ptp-stop", min_width=70, scale=0)
    with gr.Row(elem_id="ptp-examples"):
        examples = {
            name: gr.Button(label, size="sm", elem_id=f"ptp-example-{name}", min_width=60)
            for name, (label, _) in EXAMPLES.items()
        }
    with gr.Accordion(_sentence_of(DEFAULTS), open=False, elem_id="ptp-settings") as panel:
        with gr.Row():
            temperature = gr.Slider(0, 2, DEFAULTS.temperature, step=0.05, label="Temperature", info="0 is greedy")
            top_k = gr.Slider(0, 200, DEFAULTS.top_k, step=1, label="top-k", info="0 is off")
            top_p = gr.Slider(0.05, 1, DEFAULTS.top_p, step=0.01, label="top-p", info="1 is off")
        with gr.Row():
            count = gr.Slider(1, MAX_NEW_TOKENS, DEFAULTS.max_new_tokens, step=1, label="New tokens")
            drafts = gr.Slider(0, 12, 5, step=1, label="Drafts per call", info="the most that one call verifies")
            budget = gr.Dropdown(
                list(BUDGETS), value=str(DEFAULTS.draft_budget), label="Draft budget", allow_custom_value=True,
                info="u-slots per call; auto: what pays on this machine",
            )  # fmt: skip
            chat = gr.Checkbox(True, label="Chat template", info="off: continue the prompt as plain text")
        reset = gr.Button("Reset settings", size="sm", elem_id="ptp-reset")
    race = gr.HTML(
        as_value({**open_run(f"recorded:{FIRST}"), "first": True}),
        html_template="<div class='ptp-race' tabindex='0' role='group' aria-label='Race'></div>",
        js_on_load="PTPLab.race(element, props, watch, server, () => trigger('opened'));",
        server_functions=[fetch_steps, stop_run, export_run, open_file],
        elem_id="ptp-race",
        apply_default_css=False,
    )
    with gr.Accordion("Charts", open=False, elem_id="ptp-charts"), gr.Row():
        plots = [gr.Plot(show_label=False, min_width=300), gr.Plot(show_label=False, min_width=300)]
    shown = gr.Textbox(visible=False)  # the id of the run on screen, which the charts are drawn from
    ticket = gr.Textbox(visible=False)  # the browser's name for a run, by which it can stop it
    if models_allowed():
        _model_panel(choice)

    settings = [prompt, chat, seed, temperature, top_k, top_p, count, drafts, budget]
    adjustable: list[Any] = [chat, temperature, top_k, top_p, count, drafts, budget]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    at_once: dict[str, Any] = {**private, "queue": False}

    running = gr.on(
        [run.click, prompt.submit], _run, [ticket, choice, *settings], [race, shown],
        concurrency_id=CONCURRENCY_ID, concurrency_limit=1, trigger_mode="multiple",
        js="(_, ...inputs) => [PTPLab.queued(), ...inputs]", **private,
    )  # fmt: skip
    running.then(_charts, shown, plots, **at_once)
    running.failure(None, js="() => PTPLab.refused()", **at_once)
    race.opened(lambda value: _charts(json.loads(value).get("run", "")), race, plots, **at_once)
    stop.click(None, js="() => PTPLab.stopped()", **at_once)
    dice.click(None, outputs=seed, js="() => Math.floor(Math.random() * 1e6)", **at_once)
    for name, button in examples.items():
        button.click(lambda name=name: _example(name), outputs=[*settings, race, shown, panel], **at_once).then(
            _charts, shown, plots, **at_once
        )
    reset.click(lambda: _values(DEFAULTS)[1:2] + _values(DEFAULTS)[3:], outputs=adjustable, **at_once)
    # one queue for the sentence: answers come in the order of the changes, so the last one stands
    in_turn: dict[str, Any] = {**private, "concurrency_id": "sentence", "concurrency_limit": 1}
    changed = [component.change for component in adjustable]
    gr.on(changed, settings_sentence_update, adjustable, panel, trigger_mode="multiple", **in_turn)
    opened = gr.on(None, _open_link, None, [*settings, race, shown, panel], **at_once)
    opened.then(settings_sentence_update, adjustable, panel, **in_turn)
    opened.then(_charts, shown, plots, **at_once)


def settings_sentence_update(*values: Any) -> Any:
    try:
        return gr.update(label=settings_sentence(*values))
    except (TypeError, ValueError):
        return gr.skip()  # a field is empty for the moment


def _sentence_of(settings: RaceSettings) -> str:
    _, chat, _, *rest = _values(settings)
    return settings_sentence(chat, *rest)


def _values(settings: RaceSettings) -> list[Any]:
    """The settings in the order of the page's inputs."""
    drafts = (
        DEFAULTS.num_speculative_tokens if settings.num_speculative_tokens is None else settings.num_speculative_tokens
    )
    return [
        settings.prompt, settings.chat, settings.seed, settings.temperature, settings.top_k, settings.top_p,
        settings.max_new_tokens, drafts, str(settings.draft_budget),
    ]  # fmt: skip


def _run(ticket: str, choice: ModelChoice, *values: Any) -> Iterator[tuple[Any, Any]]:
    names = (
        "prompt",
        "chat",
        "seed",
        "temperature",
        "top_k",
        "top_p",
        "max_new_tokens",
        "num_speculative_tokens",
        "draft_budget",
    )
    for event in until_stopped(ticket, run_race(choice, **dict(zip(names, values, strict=True)))):
        yield as_value(event), event["run"] if event["event"] == "done" else gr.skip()


def _example(name: str) -> list[Any]:
    run = f"recorded:{name}"
    settings = RaceSettings(EXAMPLES[name][1])
    return [*_values(settings), as_value(open_run(run)), run, gr.update(label=_sentence_of(settings))]


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


def _open_link(request: gr.Request) -> list[Any]:
    """Fills the page from a link's query; shows a recorded race of those settings, or asks the browser to run it."""
    query = dict(request.query_params)
    if "prompt" not in query:
        run = f"recorded:{FIRST}"
        return [*(gr.skip() for _ in range(10)), run, gr.skip()]
    try:
        settings = settings_of_query(query)
    except ValueError as error:
        broken = {"event": "error", "message": f"This link does not work: {error}"}
        return [*(gr.skip() for _ in range(9)), as_value(broken), "", gr.skip()]
    name, sentence = recorded_for(settings), gr.update(label=_sentence_of(settings))
    if name is not None:
        return [*_values(settings), as_value(open_run(f"recorded:{name}")), f"recorded:{name}", sentence]
    return [*_values(settings), as_value({"event": "run"}), "", sentence]


def _model_panel(choice: gr.State) -> None:
    with gr.Accordion("Model", open=False, elem_id="ptp-model"):
        gr.Markdown(
            "The default is SmolLM2-135M-Instruct with the adapter that comes with the lab. Any Llama-like causal "
            "language model works: a folder on this machine or a Hugging Face id. Without an adapter of its own its "
            "parallel lane drafts by prompt lookup. Links lead to the default model."
        )
        with gr.Row():
            name = gr.Textbox(label="Model", placeholder="default, or org/name, or a folder", elem_id="ptp-model-name")
            adapter = gr.Textbox(label="Adapter", placeholder="default, or a hub id, or a folder, or none")
            dtype = gr.Radio(["float32", "bfloat16"], value="float32", label="Precision", info="float32 is exact")
        load = gr.Button("Load", size="sm", elem_id="ptp-model-load")
        status = gr.Markdown(elem_id="ptp-model-status")
    load.click(
        _load, [choice, name, adapter, dtype], [choice, status], api_visibility="private", show_progress="hidden",
        concurrency_id=CONCURRENCY_ID, concurrency_limit=1,
    )  # fmt: skip


def _load(current: ModelChoice, name: str, adapter: str, dtype: str) -> Iterator[tuple[Any, str]]:
    """Loads a visitor's choice; on an error the old one stays."""
    wanted = ModelChoice(
        None if name.strip() in ("", "default") else name.strip(),
        None if adapter.strip() in ("", "default") else adapter.strip(),
        "auto" if dtype == "float32" else dtype,
    )
    try:
        for share, text in SHELF.loading(wanted):
            yield gr.skip(), f"{text} … {share:.0%}"
        model = SHELF.get(wanted)
        drafts = (
            f"adapter {model.adapter.name}"
            if model.adapter
            else "no adapter: its parallel lane drafts by prompt lookup"
        )
        notes = "".join(f"\n\n{note}" for note in model.notes)
        yield wanted, f"**{model.name}** is loaded, {drafts}, {model.device.type} {str(model.dtype)[6:]}.{notes}"
    except (ValueError, RuntimeError, FileNotFoundError, OSError) as error:
        kept = SHELF.get(current).name if SHELF.is_loaded(current) else "the default"
        yield current, f"{error} Your runs still use {kept}."
