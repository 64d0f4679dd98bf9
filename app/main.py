"""build_demo(): the pages, their header and footer, and the public endpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import torch
from starlette.middleware import Middleware

from ptp_core.decoding.threads import start_watch

from . import api, modules
from .acceptance import page as acceptance
from .acceptance.results import Results
from .learn import page as learn
from .learn.data import glossary
from .noise import page as noise
from .race import page as race
from .serving import theme
from .serving.head import Heads, PageHeads
from .serving.models import CONCURRENCY_ID, ModelShelf
from .serving.values import as_value

Build = Callable[[ModelShelf, Results], None]

TITLE = "PTP Lab"
PAPER = "https://arxiv.org/abs/2512.21323"
CITATION = """@inproceedings{draxler2026ptp,
  title     = {Parallel Token Prediction for Language Models},
  author    = {Draxler, Felix and Will, Justus and Sofian, Farrin Marouf and Karaletsos, Theofanis and Singh, Sameer and Mandt, Stephan},
  booktitle = {International Conference on Learning Representations},
  year      = {2026}
}"""  # noqa: E501

PAGES: dict[str, tuple[str, str, Build]] = {  # path: (name, what it shows with [[words of the glossary]], its page)
    "": (
        "Race",
        "The same answer, written twice: one [[token]] per [[call]] on the left, several on the right.",
        lambda shelf, _: race.build(shelf),
    ),
    "noise": (
        "Noise",
        "A random number [[u]] picks each [[token]]. Move one, and watch the text change.",
        lambda shelf, _: noise.build(shelf),
    ),
    "acceptance": (
        "Acceptance",
        "Which drafts were [[accepted]], why, and how much time that saved.",
        acceptance.build,
    ),
    "learn": ("Learn", "How a model can write ahead, in twelve short chapters.", lambda *_: learn.build()),
}

OWN_HEADING = ("learn",)
TEXT_PAGES = ("", "noise")  # they show a text, and lead to each other's

EXPLAINED = {  # path: (step of the Learn page that explains what this page shows, the link's text)
    "": ("trick", "New here? 12 chapters"),
    "noise": ("first", "Why text is a function of its dice"),
    "acceptance": ("fail", "Why drafts fail, explained"),
}

FOOTER = f"""<footer class="ptp-footer">Parallel Token Prediction (Draxler et al., ICLR 2026):
<a href="{PAPER}" target="_blank" rel="noopener">the paper</a>
<details><summary>Cite</summary><pre>{CITATION}</pre></details></footer>"""


def build_demo(shelf: ModelShelf | None = None, results: Results | None = None) -> gr.Blocks:
    """The whole app, ready to launch with launch_options().

    shelf holds the models, results what the Acceptance page shows; by default those that come with the lab.
    """
    shelf, results = shelf or ModelShelf(), results or Results()
    demo = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True)
    for path, (name, _, build) in PAGES.items():
        with demo.route(name, path, show_in_navbar=False) if path else demo:
            gr.HTML(header(path), apply_default_css=False)
            gr.HTML(
                as_value({"entries": glossary()}),
                html_template="<div></div>",
                js_on_load=modules.mount("core/glossary.js"),
                elem_id="ptp-glossary",
                apply_default_css=False,
            )
            build(shelf, results)
            gr.HTML(FOOTER, apply_default_css=False)
            if not path:
                for endpoint in api.endpoints(shelf):
                    gr.api(endpoint, concurrency_id=CONCURRENCY_ID, concurrency_limit=1)
    demo.queue(max_size=64)
    return demo


def header(current: str) -> str:
    """Brand, links to the pages, and what the page of this path shows."""

    def link(path: str) -> str:
        mark = ' aria-current="page"' if path == current else ""
        text = " data-text" if path in TEXT_PAGES else ""
        return f'<a href="./{path}"{mark}{text}>{PAGES[path][0]}</a>'

    links = "".join(link(path) for path in PAGES)
    # the Learn page has a heading of its own; the others are headed by the brand and their name
    name = f' <span class="ptp-page-name">{PAGES[current][0]}</span>'
    brand = (
        '<span class="ptp-brand">⚅ PTP Lab</span>'
        if current in OWN_HEADING
        else f'<h1 class="ptp-brand">⚅ PTP Lab{name}</h1>'
    )
    step, text = EXPLAINED.get(current, ("", ""))
    explained = f'<a class="ptp-explained" href="./learn#{step}">{text}</a>' if step else ""
    return (
        f'<header class="ptp-header">{brand}<nav aria-label="Pages">{links}</nav>'
        f'<span class="ptp-sub">{with_terms(PAGES[current][1])}</span>{explained}</header>'
    )


def heads() -> Heads:
    """The title and the description of each page by its path."""
    return {
        path: (f"{name} · {TITLE}" if path else f"{TITLE}: Parallel Token Prediction", re.sub(r"\[\[|]]", "", text))
        for path, (name, text, _) in PAGES.items()
    }


def with_terms(text: str) -> str:
    """The text with each [[word]] as a button that opens the word's card (app/static/core/glossary.js)."""
    return re.sub(r"\[\[(.+?)]]", r'<button type="button" class="ptp-term" data-term="\1">\1</button>', text)


def watch_threads() -> None:
    """Lets calls take all threads or one, whichever is quicker, unless PTP_LAB_THREADS gives a number.

    On a GPU there is nothing to choose.
    """
    wanted = os.environ.get("PTP_LAB_THREADS", "auto")
    if wanted != "auto":
        if not wanted.isdigit() or int(wanted) < 1:
            raise SystemExit(f'PTP_LAB_THREADS is "auto" or a number of threads, got {wanted!r}.')
        start_watch(int(wanted), chooses=False)
    elif not torch.cuda.is_available():
        start_watch()


def launch_options() -> dict[str, Any]:
    """Arguments of launch(): look, privacy (nothing logged, nothing sent), MCP."""
    return {
        "theme": theme.theme(),
        "css": theme.css(),
        "app_kwargs": {
            "routes": modules.routes(),
            "middleware": [Middleware(PageHeads, heads=heads(), config_title=TITLE)],
        },
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": True,
        "show_error": True,
        "server_name": os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
    }
