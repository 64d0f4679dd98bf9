"""The page whose model runs in the browser: the server sends it once and then has nothing more to do."""

from __future__ import annotations

import gradio as gr

from app import modules
from app.serving.values import as_value

from .export import address
from .files import HEAD, WEIGHTS, TabFiles


def build(files: TabFiles) -> None:
    """Lays the page out inside the Blocks that are being built."""
    gr.HTML(
        as_value({"head": files.address(HEAD), "weights": files.address(WEIGHTS), "copy": address(files)}),
        html_template='<div class="ptp-race tab"></div>',
        js_on_load=modules.mount("tab/index.js"),
        elem_id="ptp-tab",
        apply_default_css=False,
    )
