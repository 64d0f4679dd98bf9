"""The Learn page: twelve chapters in the browser, their data from here, and one training on the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import modules
from app.serving.line import CONCURRENCY_ID, wait_place
from app.serving.store import stop_run, until_stopped
from app.serving.values import as_value

from .data import learn_data
from .events import fetch_learn, train

OPENING = ("glossary", "facts", "race")  # what words and first figure need, sent with the page
LINKS = {"race": "./", "noise": "./noise", "acceptance": "./acceptance"}


def build() -> None:
    """Lays the page out inside the Blocks that are being built."""
    page = gr.HTML(
        as_value({"links": LINKS, "data": {name: json.loads(learn_data(name)) for name in OPENING}}),
        html_template="<div data-learn></div>",
        js_on_load=modules.mount("learn/index.js", "train"),
        server_functions=[fetch_learn, stop_run, wait_place],
        elem_id="ptp-learn",
        apply_default_css=False,
    )
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    running = page.train(
        _train, None, page, concurrency_id=CONCURRENCY_ID, concurrency_limit=1, trigger_mode="multiple", **private
    )
    running.failure(None, js=modules.call("core/tickets.js", "refused"), queue=False, **private)


def _train(event: gr.EventData) -> Iterator[str]:
    asked = event._data
    ticket = str(asked.get("ticket", ""))
    for found in until_stopped(ticket, train(asked.get("variant"), asked.get("seed"))):
        yield as_value(found)
