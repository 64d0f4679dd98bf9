"""The line on which a visitor asks: prompt, seed, Run and Stop, examples, and the settings folded into a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from app import modules
from app.serving.values import as_value
from app.settings import (
    BUDGETS,
    COUPLING_LABELS,
    MODEL_LABELS,
    NAMES,
    PAGE_RANGES,
    RANGES,
    RunSettings,
    default_budget,
)
from ptp_core.methods import RACED, TABLE
from ptp_core.sampling import COUPLINGS
from ptp_core.storage.built_in import BUILT_IN, is_here

from .examples import EXAMPLES, FIRST, examples_of
from .races import PARALLEL, RUNS, Race, recorded_for
from .requests import open_run
from .stand_ins import method_choices

DEFAULTS = RunSettings(EXAMPLES[FIRST][1])
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
IN_TURN: dict[str, Any] = {**PRIVATE, "concurrency_id": "sentence", "concurrency_limit": 1}


@dataclass(frozen=True)
class Ask:
    """The components of the line. inputs: the name of a setting -> its component.

    arrived: hidden fields for what the browser tells when the page opens (app/static/core/tab.js).
    """

    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    examples: dict[str, gr.Button]
    panel: gr.Accordion
    ticket: gr.Textbox
    arrived: list[gr.Textbox]
    inputs: dict[str, Any]

    @property
    def adjustable(self) -> dict[str, Any]:
        """The inputs inside the folded sentence."""
        return {name: component for name, component in self.inputs.items() if name not in ("prompt", "seed")}

    @property
    def filled(self) -> list[Any]:
        """The components that `fill` sets."""
        return [*self.inputs.values(), self.panel]

    def fill(self, settings: RunSettings, *left: str) -> dict[Any, Any]:
        """What sets every input, and the sentence, to these settings; the inputs named in `left` are left alone."""
        values = page_values(settings)
        told = {component: values[name] for name, component in self.inputs.items() if name not in left}
        return {**told, self.panel: gr.update(label=settings_sentence(values))}

    def sentence(self, *values: Any) -> Any:
        """The update of the sentence, from the values of `adjustable`."""
        try:
            return gr.update(label=settings_sentence(dict(zip(self.adjustable, values, strict=True))))
        except (TypeError, ValueError):
            return gr.skip()  # a field is empty for the moment


def page_values(settings: RunSettings) -> dict[str, Any]:
    """The settings as the page's inputs show them."""
    values = settings.values()
    if values["num_speculative_tokens"] is None:
        values["num_speculative_tokens"] = DEFAULTS.decoding.num_speculative_tokens
    return {**values, "draft_budget": str(values["draft_budget"])}


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
    if values["model"] != DEFAULTS.model:
        parts.append(BUILT_IN[values["model"]].title)
    if values["method"] != DEFAULTS.method:
        parts.append(TABLE[values["method"]].label)
    if values["coupling"] != DEFAULTS.sampling.coupling:
        parts.append(COUPLING_LABELS[values["coupling"]])
    if not values["chat"]:
        parts.append("no chat template")
    return f"Settings: {' · '.join(parts)}"


def build_ask(run_label: str, first: str = FIRST) -> Ask:
    """Lays the line out inside the Blocks that are being built, and wires what needs no model.

    first: the example that the page opens with.
    """
    with gr.Row(elem_id="ptp-ask", equal_height=True):
        prompt = gr.Textbox(
            EXAMPLES[first][1], label="Prompt", show_label=False, container=False, lines=1, max_lines=8, scale=8,
            placeholder="Ask something, or paste a text", elem_id="ptp-prompt", min_width=240,
        )  # fmt: skip
        with gr.Row(elem_id="ptp-seed-box", scale=1):
            dice = gr.Button("New seed", elem_id="ptp-dice", min_width=44, scale=0)
            seed = gr.Number(
                DEFAULTS.seed, label="Seed", show_label=False, container=False, precision=0,
                elem_id="ptp-seed", min_width=90, scale=1,
            )  # fmt: skip
        run = gr.Button(run_label, variant="primary", elem_id="ptp-run", min_width=160, scale=0)
        stop = gr.Button("Stop", elem_id="ptp-stop", min_width=70, scale=0)
    with gr.Row(elem_id="ptp-examples"):
        examples = {
            name: gr.Button(label, size="sm", elem_id=f"ptp-example-{name}", min_width=60, visible=of == DEFAULTS.model)
            for name, (label, _, of) in EXAMPLES.items()
            if is_here(of)
        }
        model = gr.Dropdown(
            [(MODEL_LABELS[name], name) for name in MODEL_LABELS if is_here(name)], value=DEFAULTS.model, label="Model",
            show_label=False, container=False, elem_id="ptp-which", min_width=150, scale=0, filterable=False,
        )  # fmt: skip
        method = gr.Dropdown(
            method_choices(DEFAULTS.model), value=DEFAULTS.method, label="Drafts by",
            show_label=False, container=False, elem_id="ptp-method", min_width=245, scale=0, filterable=False,
        )  # fmt: skip
        coupling = gr.Dropdown(
            [(COUPLING_LABELS[name], name) for name in COUPLINGS], value=DEFAULTS.sampling.coupling,
            label="Map from noise to tokens", show_label=False, container=False, elem_id="ptp-coupling",
            min_width=215, scale=0, filterable=False,
        )  # fmt: skip
    with gr.Accordion(settings_sentence(page_values(DEFAULTS)), open=False, elem_id="ptp-settings") as panel:
        inputs = {
            "prompt": prompt,
            "model": model,
            "seed": seed,
            "method": method,
            "coupling": coupling,
            **_adjustable_inputs(),
        }
        reset = gr.Button("Reset settings", size="sm", elem_id="ptp-reset")
    ticket = gr.Textbox(visible=False)  # the browser's name for a run, by which it can stop it
    arrived = [gr.Textbox(visible=False) for _ in range(3)]  # the visitor's model, a query, and whether to run it
    ask = Ask(prompt, run, stop, examples, panel, ticket, arrived, inputs)
    stop.click(None, js=modules.call("core/tickets.js", "stopped"), **AT_ONCE)
    method.input(default_budget, method, inputs["draft_budget"], **AT_ONCE)
    method.change(None, method, js=modules.call("core/tickets.js", "chose"), **AT_ONCE)
    # in the browser: by the time at which a busy server answers, a visitor may have typed another prompt
    model.change(None, [model, prompt], prompt, js=modules.call("core/tickets.js", "promptFor"), **AT_ONCE)
    model.change(partial(_for_model, ask), model, [*examples.values(), method], **AT_ONCE)
    dice.click(None, outputs=seed, js="() => Math.floor(Math.random() * 1e6)", **AT_ONCE)
    kept = (prompt, seed, model)
    reset.click(
        lambda: {component: value for component, value in ask.fill(DEFAULTS).items() if component not in kept},
        outputs=[component for component in ask.filled if component not in kept], **AT_ONCE,
    )  # fmt: skip
    # One queue for the sentence: answers come in the order of the changes, so the last one stands. A change may be
    # sent before its neighbours' new values, so the last change is asked for once more when its answer is there.
    adjustable = list(ask.adjustable.values())
    changed = [component.change for component in adjustable]
    told = gr.on(changed, ask.sentence, adjustable, panel, trigger_mode="multiple", **IN_TURN)
    told.then(ask.sentence, adjustable, panel, trigger_mode="always_last", **IN_TURN)
    return ask


def _for_model(ask: Ask, model: str) -> dict[Any, Any]:
    """Another model's example buttons, and its menu of methods."""
    mine = examples_of(model)
    buttons = {button: gr.update(visible=name in mine) for name, button in ask.examples.items()}
    return {**buttons, ask.inputs["method"]: gr.update(choices=method_choices(model))}


def _adjustable_inputs() -> dict[str, Any]:
    """Lays the settings out inside the panel that is being built; their components by name."""
    values = page_values(DEFAULTS)

    def slider(name: str, step: float, label: str, info: str | None = None) -> gr.Slider:
        return gr.Slider(*PAGE_RANGES[name], values[name], step=step, label=label, info=info)

    with gr.Row():
        inputs: dict[str, Any] = {
            "temperature": slider("temperature", 0.05, "Temperature", "0 is greedy"),
            "top_k": slider("top_k", 1, "top-k", "0 is off"),
            "top_p": slider("top_p", 0.01, "top-p", "1 is off"),
        }
    with gr.Row():
        inputs |= {
            "max_new_tokens": slider("max_new_tokens", 1, "New tokens"),
            "num_speculative_tokens": slider(
                "num_speculative_tokens", 1, "Drafts per call", "the most that one call verifies"
            ),
            "draft_budget": gr.Dropdown(
                list(BUDGETS), value=values["draft_budget"], label="Draft budget", allow_custom_value=True,
                info="u-slots or drafts per call; auto: what pays here",
            ),
            "chat": gr.Checkbox(values["chat"], label="Chat template", info="off: continue the prompt as plain text"),
        }  # fmt: skip
    return inputs


def show_example(ask: Ask, view: gr.HTML, name: str, method: str) -> dict[Any, Any]:
    """What fills the inputs, the sentence and the view with a recorded race; the visitor's method stays."""
    example = EXAMPLES[name]
    settings = RunSettings.parse(prompt=example.prompt, model=example.model, method=method)
    return {**ask.fill(settings, "method"), view: as_value(open_run(f"recorded:{name}"))}


def show_upload(ask: Ask, run: str) -> dict[Any, Any]:
    """What fills the inputs and the sentence with an uploaded race's own; nothing for other races."""
    settings = settings_of(RUNS.find(run))
    return {ask.panel: gr.skip()} if settings is None else ask.fill(settings, "chat")


def settings_of(race: Race | None) -> RunSettings | None:
    """The settings of an uploaded race as far as its file tells them and the page can show them."""
    if race is None or race.origin != "uploaded":
        return None
    trace = race.lanes.get(PARALLEL, race.reference)
    method = trace.method if trace.method in RACED else DEFAULTS.method
    sampling = {name: getattr(trace.sampling, name) for name in ("temperature", "top_k", "top_p")}
    found = {"seed": trace.noise.seed, "max_new_tokens": len(race.reference.tokens), **sampling}
    limits = {name: PAGE_RANGES.get(name, (RANGES[name].low, RANGES[name].high)) for name in found}
    shown = {name: min(max(value, limits[name][0]), limits[name][1]) for name, value in found.items()}
    if not trace.prompt.strip():
        return None
    return RunSettings.parse(prompt=trace.prompt, method=method, coupling=trace.sampling.coupling, **shown)


def show_link(ask: Ask, view: gr.HTML, own: bool, asked: str, runs: bool) -> tuple[dict[Any, Any], str]:
    """What fills the inputs, the sentence and the view as a link's query says, and the id of the run then shown.

    That is a recorded race of those settings, or an event by which the browser runs it. A link with settings and no
    prompt takes the page's own. own: runs are by a model of the visitor's own, of which no race is recorded. runs:
    whether the browser runs what is not recorded.
    """
    query = dict(parse_qsl(asked))
    if not NAMES & query.keys():
        return {view: gr.skip()}, f"recorded:{FIRST}"
    try:
        settings = RunSettings.of_query({"prompt": ask.prompt.value, **query})
    except ValueError as error:
        return {view: as_value({"event": "error", "message": f"This link does not work: {error}"})}, ""
    name = None if own else recorded_for(settings)
    if name is not None:
        return {**ask.fill(settings), view: as_value(open_run(f"recorded:{name}"))}, f"recorded:{name}"
    return {**ask.fill(settings), view: as_value({"event": "run"}) if runs else gr.skip()}, ""
