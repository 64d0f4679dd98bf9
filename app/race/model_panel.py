"""The panel in which a visitor loads a model or an adapter of their own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from app import modules
from app.serving.line import CONCURRENCY_ID
from app.serving.models import ModelChoice, ModelShelf
from app.serving.values import REFUSALS
from ptp_core.refusals import sentence


def kept_choice() -> gr.Textbox:
    """The hidden field in which the browser keeps the visitor's model. It goes with every run, so a server that was
    restarted loads that model again."""
    return gr.Textbox(visible=False)


def model_panel(shelf: ModelShelf, choice: gr.Textbox) -> None:
    """Lays the panel out; loading changes `choice`, which the page's runs read."""
    with gr.Accordion("Model", open=False, elem_id="ptp-model"):
        gr.Markdown(
            "The default is SmolLM2-135M-Instruct with the adapter that comes with the lab. Any Llama-like causal "
            "language model works: a folder on this machine or a Hugging Face id. Without an adapter of its own, its "
            "parallel lane drafts by prompt lookup. The other pages use it, too, in this tab. Links lead to the "
            "default model."
        )
        with gr.Row():
            name = gr.Textbox(label="Model", placeholder="default, or org/name, or a folder", elem_id="ptp-model-name")
            adapter = gr.Textbox(label="Adapter", placeholder="default, or a hub id, or a folder, or none")
            dtype = gr.Radio(["float32", "bfloat16"], value="float32", label="Precision", info="float32 is exact")
        load = gr.Button("Load", size="sm", elem_id="ptp-model-load")
        status = gr.Markdown(elem_id="ptp-model-status")
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    loaded = load.click(
        partial(_load, shelf), [choice, name, adapter, dtype], [choice, status], concurrency_id=CONCURRENCY_ID,
        concurrency_limit=1, **private,
    )  # fmt: skip
    loaded.success(None, choice, js=modules.call("core/address.js", "rememberModel"), queue=False, **private)
    gr.on(None, _arrived, choice, status, js=modules.call("core/tab.js", "modelHere"), queue=False, **private)


def _arrived(text: str) -> Any:
    """A sentence about the model that the visitor brings from another page of the lab."""
    chosen = ModelChoice.of_text(text)
    if chosen == ModelChoice():
        return gr.skip()
    told = f"{chosen.name or 'the default model'}" + (f" with adapter {chosen.adapter}" if chosen.adapter else "")
    return f"Runs on this page use your own model, too: {told}. To go back, empty both fields and press Load."


def _load(shelf: ModelShelf, current: str, name: str, adapter: str, dtype: str) -> Iterator[tuple[Any, str]]:
    """Loads a visitor's choice; on an error the old one stays."""
    wanted = ModelChoice.parse(name, adapter, dtype)
    try:
        for share, text in shelf.loading(wanted):
            yield gr.skip(), f"{text} … {share:.0%}"
        model = shelf.get(wanted)
        drafts = (
            f"adapter {model.adapter.name}"
            if model.adapter
            else "no adapter: its parallel lane drafts by prompt lookup"
        )
        notes = "".join(f"\n\n{note}" for note in model.notes)
        yield wanted.text, f"**{model.name}** is loaded, {drafts}, {model.device.type} {str(model.dtype)[6:]}.{notes}"
    except REFUSALS as error:
        old = ModelChoice.of_text(current)
        kept = shelf.get(old).name if shelf.is_loaded(old) else old.name or "the default"
        yield gr.skip(), f"{sentence(error)} Your runs still use {kept}."
