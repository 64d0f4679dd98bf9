"""The line on which a visitor asks: prompt, seed, Run and Stop, examples, and the settings folded into a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app import modules
from app.serving.values import as_value
from app.settings import (
    BUDGETS,
    MAX_NEW_TOKENS,
    PAGE_LIMITS,
    RACE_METHODS,
    RaceSettings,
    default_budget,
    settings_of_query,
)

from .events import open_run
from .examples import EXAMPLES, FIRST
from .races import recorded_for

DEFAULTS = RaceSettings(EXAMPLES[FIRST][1])
NAMES = (  # of RaceSettings, in the order of the page's inputs
    "prompt", "chat", "seed", "temperature", "top_k", "top_p", "max_new_tokens", "num_speculative_tokens",
    "draft_budget", "method",
)  # fmt: skip
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
IN_TURN: dict[str, Any] = {**PRIVATE, "concurrency_id": "sentence", "concurrency_limit": 1}


@dataclass(frozen=True)
class Ask:
    """The components of the line; inputs are those of NAMES, in that order."""

    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    examples: dict[str, gr.Button]
    panel: gr.Accordion
    ticket: gr.Textbox
    inputs: list[Any]

    @property
    def adjustable(self) -> list[Any]:
        """The inputs inside the folded sentence."""
        return [self.inputs[1], *self.inputs[3:]]


def settings_sentence(
    chat: bool,
    temperature: float,
    top_k: float,
    top_p: float,
    count: float,
    drafts: float,
    budget: Any,
    method: str = DEFAULTS.method,
) -> str:
    """The settings folded into one line."""
    filters = f"top-k {top_k:g}" if top_k else "top-k off"
    filters += f" · top-p {top_p:g}" if top_p < 1 else " · top-p off"
    heat = f"temperature {temperature:g}" if temperature else "greedy"
    shape = "" if chat else " · no chat template"
    by = "" if method == DEFAULTS.method else f" · {RACE_METHODS[method]}"
    return f"Settings: {heat} · {filters} · {count:g} tokens · drafts {drafts:g} · budget {budget}{by}{shape}"


def build_ask(run_label: str) -> Ask:
    """Lays the line out inside the Blocks that are being built, and wires what needs no model."""
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
        run = gr.Button(run_label, variant="primary", elem_id="ptp-run", min_width=160, scale=0)
        stop = gr.Button("Stop", elem_id="ptp-stop", min_width=70, scale=0)
    with gr.Row(elem_id="ptp-examples"):
        examples = {
            name: gr.Button(label, size="sm", elem_id=f"ptp-example-{name}", min_width=60)
            for name, (label, _) in EXAMPLES.items()
        }
        method = gr.Dropdown(
            [(label, name) for name, label in RACE_METHODS.items()], value=DEFAULTS.method, label="Drafts by",
            show_label=False, container=False, elem_id="ptp-method", min_width=272, scale=0, filterable=False,
        )  # fmt: skip
    with gr.Accordion(sentence_of(DEFAULTS), open=False, elem_id="ptp-settings") as panel:
        with gr.Row():
            temperature = gr.Slider(
                *PAGE_LIMITS["temperature"], DEFAULTS.temperature, step=0.05, label="Temperature", info="0 is greedy"
            )
            top_k = gr.Slider(*PAGE_LIMITS["top_k"], DEFAULTS.top_k, step=1, label="top-k", info="0 is off")
            top_p = gr.Slider(*PAGE_LIMITS["top_p"], DEFAULTS.top_p, step=0.01, label="top-p", info="1 is off")
        with gr.Row():
            count = gr.Slider(1, MAX_NEW_TOKENS, DEFAULTS.max_new_tokens, step=1, label="New tokens")
            drafts = gr.Slider(
                *PAGE_LIMITS["num_speculative_tokens"], 5, step=1, label="Drafts per call",
                info="the most that one call verifies",
            )  # fmt: skip
            budget = gr.Dropdown(
                list(BUDGETS), value=str(DEFAULTS.draft_budget), label="Draft budget", allow_custom_value=True,
                info="u-slots or drafts per call; auto: what pays here",
            )  # fmt: skip
            chat = gr.Checkbox(True, label="Chat template", info="off: continue the prompt as plain text")
        reset = gr.Button("Reset settings", size="sm", elem_id="ptp-reset")
    ticket = gr.Textbox(visible=False)  # the browser's name for a run, by which it can stop it
    inputs = [prompt, chat, seed, temperature, top_k, top_p, count, drafts, budget, method]
    ask = Ask(prompt, run, stop, examples, panel, ticket, inputs)
    stop.click(None, js=modules.call("core/tickets.js", "stopped"), **AT_ONCE)
    method.input(default_budget, method, budget, **AT_ONCE)
    dice.click(None, outputs=seed, js="() => Math.floor(Math.random() * 1e6)", **AT_ONCE)
    reset.click(lambda: values_of(DEFAULTS)[1:2] + values_of(DEFAULTS)[3:], outputs=ask.adjustable, **AT_ONCE)
    # one queue for the sentence: answers come in the order of the changes, so the last one stands; and the last
    # change is asked for once more when its answer is there, since a change may be sent before its neighbours'
    changed = [component.change for component in ask.adjustable]
    told = gr.on(changed, sentence_update, ask.adjustable, panel, trigger_mode="multiple", **IN_TURN)
    told.then(sentence_update, ask.adjustable, panel, trigger_mode="always_last", **IN_TURN)
    return ask


def sentence_update(*values: Any) -> Any:
    try:
        return gr.update(label=settings_sentence(*values))
    except (TypeError, ValueError):
        return gr.skip()  # a field is empty for the moment


def sentence_of(settings: RaceSettings) -> str:
    _, chat, _, *rest = values_of(settings)
    return settings_sentence(chat, *rest)


def values_of(settings: RaceSettings) -> list[Any]:
    """The settings in the order of the page's inputs."""
    drafts = (
        DEFAULTS.num_speculative_tokens if settings.num_speculative_tokens is None else settings.num_speculative_tokens
    )
    return [
        settings.prompt, settings.chat, settings.seed, settings.temperature, settings.top_k, settings.top_p,
        settings.max_new_tokens, drafts, str(settings.draft_budget), settings.method,
    ]  # fmt: skip


def show_example(name: str) -> list[Any]:
    """Inputs, sentence and view value of a recorded race."""
    settings = RaceSettings(EXAMPLES[name][1])
    return [*values_of(settings), gr.update(label=sentence_of(settings)), as_value(open_run(f"recorded:{name}"))]


def show_link(request: gr.Request) -> list[Any]:
    """Inputs, sentence, view value and shown run for a link's query: a recorded race of those settings, or an
    event by which the browser runs it."""
    query = dict(request.query_params)
    untouched = [gr.skip() for _ in NAMES]
    if "prompt" not in query:
        return [*untouched, gr.skip(), gr.skip(), f"recorded:{FIRST}"]
    try:
        settings = settings_of_query(query)
    except ValueError as error:
        broken = {"event": "error", "message": f"This link does not work: {error}"}
        return [*untouched, gr.skip(), as_value(broken), ""]
    name, sentence = recorded_for(settings), gr.update(label=sentence_of(settings))
    if name is not None:
        return [*values_of(settings), sentence, as_value(open_run(f"recorded:{name}")), f"recorded:{name}"]
    return [*values_of(settings), sentence, as_value({"event": "run"}), ""]
