"""The line on which a visitor asks: prompt, seed, Run and Stop, examples, and the settings folded into a sentence."""

from __future__ import annotations

from collections.abc import Mapping
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

from .examples import EXAMPLES, FIRST
from .races import recorded_for
from .requests import open_run

DEFAULTS = RaceSettings(EXAMPLES[FIRST][1])
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
IN_TURN: dict[str, Any] = {**PRIVATE, "concurrency_id": "sentence", "concurrency_limit": 1}


@dataclass(frozen=True)
class Ask:
    """The components of the line. inputs: the name of a setting -> its component."""

    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    examples: dict[str, gr.Button]
    panel: gr.Accordion
    ticket: gr.Textbox
    inputs: dict[str, Any]

    @property
    def adjustable(self) -> dict[str, Any]:
        """The inputs inside the folded sentence."""
        return {name: component for name, component in self.inputs.items() if name not in ("prompt", "seed")}

    @property
    def filled(self) -> list[Any]:
        """The components that `fill` sets."""
        return [*self.inputs.values(), self.panel]

    def fill(self, settings: RaceSettings) -> dict[Any, Any]:
        """What sets every input, and the sentence, to these settings."""
        values = page_values(settings)
        told = {component: values[name] for name, component in self.inputs.items()}
        return {**told, self.panel: gr.update(label=settings_sentence(values))}

    def sentence(self, *values: Any) -> Any:
        """The update of the sentence, from the values of `adjustable`."""
        try:
            return gr.update(label=settings_sentence(dict(zip(self.adjustable, values, strict=True))))
        except (TypeError, ValueError):
            return gr.skip()  # a field is empty for the moment


def page_values(settings: RaceSettings) -> dict[str, Any]:
    """The settings as the page's inputs show them."""
    drafts = settings.num_speculative_tokens
    shown = {"num_speculative_tokens": DEFAULTS.num_speculative_tokens if drafts is None else drafts}
    return {**vars(settings), **shown, "draft_budget": str(settings.draft_budget)}


def settings_sentence(values: Mapping[str, Any]) -> str:
    """The settings folded into one line."""
    top_k, top_p, heat = values["top_k"], values["top_p"], values["temperature"]
    parts = [
        f"temperature {heat:g}" if heat else "greedy",
        f"top-k {top_k:g}" if top_k else "top-k off",
        f"top-p {top_p:g}" if top_p < 1 else "top-p off",
        f"{values['max_new_tokens']:g} tokens",
        f"drafts {values['num_speculative_tokens']:g}",
        f"budget {values['draft_budget']}",
    ]
    if values["method"] != DEFAULTS.method:
        parts.append(RACE_METHODS[values["method"]])
    if not values["chat"]:
        parts.append("no chat template")
    return f"Settings: {' · '.join(parts)}"


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
    with gr.Accordion(settings_sentence(page_values(DEFAULTS)), open=False, elem_id="ptp-settings") as panel:
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
    inputs = {
        "prompt": prompt, "chat": chat, "seed": seed, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "max_new_tokens": count, "num_speculative_tokens": drafts, "draft_budget": budget, "method": method,
    }  # fmt: skip
    ask = Ask(prompt, run, stop, examples, panel, ticket, inputs)
    stop.click(None, js=modules.call("core/tickets.js", "stopped"), **AT_ONCE)
    method.input(default_budget, method, budget, **AT_ONCE)
    dice.click(None, outputs=seed, js="() => Math.floor(Math.random() * 1e6)", **AT_ONCE)
    kept = (prompt, seed)
    reset.click(
        lambda: {component: value for component, value in ask.fill(DEFAULTS).items() if component not in kept},
        outputs=[component for component in ask.filled if component not in kept], **AT_ONCE,
    )  # fmt: skip
    # one queue for the sentence: answers come in the order of the changes, so the last one stands; and the last
    # change is asked for once more when its answer is there, since a change may be sent before its neighbours'
    adjustable = list(ask.adjustable.values())
    changed = [component.change for component in adjustable]
    told = gr.on(changed, ask.sentence, adjustable, panel, trigger_mode="multiple", **IN_TURN)
    told.then(ask.sentence, adjustable, panel, trigger_mode="always_last", **IN_TURN)
    return ask


def show_example(ask: Ask, view: gr.HTML, name: str) -> dict[Any, Any]:
    """What fills the inputs, the sentence and the view with a recorded race."""
    return {**ask.fill(RaceSettings(EXAMPLES[name][1])), view: as_value(open_run(f"recorded:{name}"))}


def show_link(ask: Ask, view: gr.HTML, query: dict[str, str]) -> tuple[dict[Any, Any], str]:
    """What fills the inputs, the sentence and the view as a link's query says, and the id of the run then shown.

    That is a recorded race of those settings, or an event by which the browser runs it.
    """
    if "prompt" not in query:
        return {view: gr.skip()}, f"recorded:{FIRST}"
    try:
        settings = settings_of_query(query)
    except ValueError as error:
        return {view: as_value({"event": "error", "message": f"This link does not work: {error}"})}, ""
    name = recorded_for(settings)
    shown = "" if name is None else f"recorded:{name}"
    return {**ask.fill(settings), view: as_value(open_run(shown) if shown else {"event": "run"})}, shown
