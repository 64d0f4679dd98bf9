"""The Acceptance page: shipped, live and uploaded benchmark results, and a benchmark to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import modules
from app.serving.models import CONCURRENCY_ID, ModelChoice, models_allowed
from app.serving.store import stop_run, until_stopped
from app.serving.values import as_value

from .events import BUDGETS, METHODS, limits, run_live, shipped_questions
from .exhibits import LABELS
from .requests import export_result, fetch_exhibits, fetch_questions, fetch_result, open_result, opening

OWN, SHIPPED = "own", "shipped"
_CHOICES = [(LABELS[method], method) for method in METHODS if method != "ar"]


def build() -> None:
    """Lays the page out inside the Blocks that are being built."""
    most, longest = limits()
    most = min(most, len(shipped_questions()))
    with gr.Accordion("Run a few questions here", open=False, elem_id="ptp-bench"):
        gr.Markdown(
            "Every question is answered by plain decoding and by each method you choose, in turns, on the same noise. "
            f"At most {most} questions, {longest} tokens each; runs of all visitors take turns. The result joins the "
            "list below, where it can be compared with the others."
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
            methods = gr.CheckboxGroup(_CHOICES, value=["shallow"], label="Methods", info="beside plain decoding")
        prompts = gr.Textbox(
            label="My prompts, one per line", lines=3, max_lines=10, elem_id="ptp-bench-prompts", visible=False,
            placeholder="Why is the sky blue?\nName three rivers in France.",
        )  # fmt: skip
        with gr.Row():
            tokens = gr.Slider(4, longest, min(32, longest), step=1, label="Tokens per answer")
            temperature = gr.Slider(0, 2, 0.7, step=0.05, label="Temperature", info="0 is greedy")
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
        as_value(opening()),
        html_template="<div class='ptp-acceptance' role='group' aria-label='Benchmark result'></div>",
        js_on_load=modules.mount("acceptance/index.js"),
        server_functions=[fetch_result, fetch_exhibits, fetch_questions, export_result, open_result, stop_run],
        elem_id="ptp-acceptance",
        apply_default_css=False,
    )
    ticket = gr.Textbox(visible=False)  # the browser's name for a run, by which it can stop it

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    running = run.click(
        _run, [ticket, name, adapter, source, prompts, count, methods, tokens, temperature, budget, seed], page,
        concurrency_id=CONCURRENCY_ID, concurrency_limit=1, trigger_mode="multiple",
        js=modules.call("core/tickets.js", "queued"), **private,
    )  # fmt: skip
    running.failure(None, js=modules.call("core/tickets.js", "refused"), queue=False, **private)
    source.change(
        lambda chosen: (gr.update(visible=chosen == SHIPPED), gr.update(visible=chosen == OWN)),
        source, [count, prompts], queue=False, **private,
    )  # fmt: skip


def _run(ticket: str, name: str, adapter: str, *values: Any) -> Iterator[str]:
    fields = ("source", "prompts", "count", "methods", "tokens", "temperature", "budget", "seed")
    raw = dict(zip(fields, values, strict=True))
    for event in until_stopped(ticket, run_live(_choice(name, adapter), ticket, **raw)):
        yield as_value(event)


def _choice(name: str, adapter: str) -> ModelChoice:
    """A visitor's model; the default where visitors may bring none, and where a field is empty."""
    if not models_allowed():
        return ModelChoice()
    target, drafter = (text.strip() for text in (name or "", adapter or ""))
    return ModelChoice(None if target in ("", "default") else target, None if drafter in ("", "default") else drafter)
