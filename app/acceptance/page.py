"""The Acceptance page: shipped, live and uploaded benchmark results, and a benchmark to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import modules
from app.serving.line import CONCURRENCY_ID, wait_place
from app.serving.models import ModelChoice, ModelShelf, models_allowed
from app.serving.store import stop_run, until_stopped
from app.serving.values import as_value
from app.settings import BUDGETS, PAGE_RANGES, RunSettings
from ptp_core.methods import RACED, TABLE

from .events import LiveBench, limits, shipped_questions
from .requests import Requests
from .results import Results

OWN, SHIPPED = "own", "shipped"
_CHOICES = [(TABLE[method].label, method) for method in RACED]


def build(shelf: ModelShelf, results: Results) -> None:
    """Lays the page out inside the Blocks that are being built: these results, and runs on the shelf's models."""
    requests, bench = Requests(results), LiveBench(shelf, results)
    most, longest = limits()
    most = min(most, len(shipped_questions()))
    with gr.Accordion("Run a few questions here", open=False, elem_id="ptp-bench"):
        gr.Markdown(
            "Plain decoding and each method you choose answer every question, in turns and on the same noise. "
            f"You may ask at most {most} questions, {longest} tokens each. The runs of all visitors take turns. "
            "The result joins the list below, where you can compare it with the others."
        )
        with gr.Row():
            source = gr.Radio(
                [("the lab's question set", SHIPPED), ("my own prompts", OWN)], value=SHIPPED,
                label="Questions", elem_id="ptp-bench-source",
            )  # fmt: skip
            count = gr.Slider(
                1, most, min(3, most), step=1, label="How many of the set", info="taken evenly over its kinds",
                elem_id="ptp-bench-count",
            )  # fmt: skip
            methods = gr.CheckboxGroup(
                _CHOICES, value=[RunSettings.method], label="Methods", info="beside plain decoding"
            )
        prompts = gr.Textbox(
            label="My prompts, one per line", lines=3, max_lines=10, elem_id="ptp-bench-prompts", visible=False,
            placeholder="Why is the sky blue?\nName three rivers in France.",
        )  # fmt: skip
        with gr.Row():
            tokens = gr.Slider(4, longest, min(32, longest), step=1, label="Tokens per answer")
            temperature = gr.Slider(
                *PAGE_RANGES["temperature"], RunSettings.sampling.temperature, step=0.05, label="Temperature",
                info="0 is greedy",
            )  # fmt: skip
            budget = gr.Dropdown(
                list(BUDGETS), value="8", label="Draft budget", allow_custom_value=True,
                info="u-slots per call; auto: what pays here",
            )  # fmt: skip
            seed = gr.Number(0, label="Seed", precision=0, info="question i has seed + i")
        with gr.Row(visible=models_allowed()):
            name = gr.Textbox(label="Model", placeholder="default, or org/name, or a folder")
            adapter = gr.Textbox(label="Adapter", placeholder="default, or a hub id, or a folder")
        run = gr.Button("Run the benchmark", variant="primary", elem_id="ptp-bench-run")
    page = gr.HTML(
        as_value(requests.opening()),
        html_template="<div class='ptp-acceptance' role='group' aria-label='Benchmark result'></div>",
        js_on_load=modules.mount("acceptance/index.js"),
        server_functions=[*requests.server_functions(), stop_run, wait_place],
        elem_id="ptp-acceptance",
        apply_default_css=False,
    )
    ticket = gr.Textbox(visible=False)  # the browser's name for a run, by which it can stop it

    inputs = {
        "source": source, "prompts": prompts, "count": count, "methods": methods, "tokens": tokens,
        "temperature": temperature, "budget": budget, "seed": seed,
    }  # fmt: skip

    def start(ticket: str, name: str, adapter: str, *values: Any) -> Iterator[str]:
        raw = dict(zip(inputs, values, strict=True))
        events = bench.run(ModelChoice.parse(name, adapter), ticket, raw)
        yield from map(as_value, until_stopped(ticket, events))

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    running = run.click(
        start, [ticket, name, adapter, *inputs.values()], page, concurrency_id=CONCURRENCY_ID, concurrency_limit=1,
        trigger_mode="multiple", js=modules.call("core/tickets.js", "queued"), **private,
    )  # fmt: skip
    running.failure(None, js=modules.call("core/tickets.js", "refused"), queue=False, **private)
    if models_allowed():
        gr.on(None, _fields, name, [name, adapter], js=modules.call("core/tab.js", "modelHere"), queue=False, **private)
    source.change(
        lambda chosen: (gr.update(visible=chosen == SHIPPED), gr.update(visible=chosen == OWN)),
        source, [count, prompts], queue=False, **private,
    )  # fmt: skip


def _fields(text: str) -> tuple[str, str]:
    """What a visitor typed to load the model that they bring from another page of the lab."""
    chosen = ModelChoice.of_text(text)
    return chosen.name or "", chosen.adapter or ""
