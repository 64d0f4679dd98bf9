"""build_demo(): the pages, their header and footer, and the public endpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ptp_core.decoding import thread_choice

from . import api, modules
from .acceptance import page as acceptance
from .acceptance.results import Results
from .learn import page as learn
from .learn.data import glossary
from .noise import page as noise
from .race import page as race
from .serving import theme
from .serving.head import Heads, PageHeads, gradio_preloads
from .serving.limits import ClientLimits, Limits
from .serving.line import CONCURRENCY_ID
from .serving.models import ModelShelf
from .serving.values import as_value
from .tab import export as tab_copy
from .tab import page as tab_page
from .tab.files import TabFiles, shipped

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

TAB = "tab"  # the page that is there only where its model is
TAB_NAME, TAB_SHOWS = "Tab", "A small [[target]] runs in this browser tab. It completes Python code."

OWN_HEADING = ("learn",)
TEXT_PAGES = ("", "noise")  # they show a text, and lead to each other's

EXPLAINED = {  # path: (step of the Learn page that explains what this page shows, the link's text)
    "": ("trick", "New here? 12 chapters"),
    "noise": ("first", "Why text is a function of its dice"),
    "acceptance": ("fail", "Why drafts fail, explained"),
    TAB: ("trick", "New here? 12 chapters"),
}

FOOTER = f"""<footer class="ptp-footer">Parallel Token Prediction (Draxler et al., ICLR 2026):
<a href="{PAPER}" target="_blank" rel="noopener">the paper</a>
<details><summary>Cite</summary><pre>{CITATION}</pre></details></footer>"""


def pages(tab: TabFiles | None) -> dict[str, tuple[str, str, Build]]:
    """PAGES, and the page whose model runs in the browser where there is one."""
    return PAGES if tab is None else {**PAGES, TAB: (TAB_NAME, TAB_SHOWS, lambda *_: tab_page.build(tab))}


def build_demo(
    shelf: ModelShelf | None = None, results: Results | None = None, tab: TabFiles | None = None
) -> gr.Blocks:
    """The whole app, ready to launch with launch_options(tab).

    shelf holds the models, results what the Acceptance page shows, tab the model that runs in the browser. By default
    they are those that come with the lab.
    """
    shelf, results = shelf or ModelShelf(), results or Results()
    shown = pages(tab or shipped())
    demo = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True)
    for path, (name, _, build) in shown.items():
        with demo.route(name, path, show_in_navbar=False) if path else demo:
            gr.HTML(header(path, shown), apply_default_css=False)
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
    demo.queue(max_size=64, api_open=False)  # a call that skips the queue would run beside the others
    return demo


def header(current: str, pages: Mapping[str, tuple[str, str, Build]]) -> str:
    """Brand, links to the pages, and what the page of this path shows."""

    def link(path: str) -> str:
        mark = ' aria-current="page"' if path == current else ""
        text = " data-text" if path in TEXT_PAGES else ""
        return f'<a href="./{path}"{mark}{text}>{pages[path][0]}</a>'

    links = "".join(link(path) for path in pages)
    # the Learn page has a heading of its own; the others are headed by the brand and their name
    name = f' <span class="ptp-page-name">{pages[current][0]}</span>'
    brand = (
        '<span class="ptp-brand">⚅ PTP Lab</span>'
        if current in OWN_HEADING
        else f'<h1 class="ptp-brand">⚅ PTP Lab{name}</h1>'
    )
    step, text = EXPLAINED.get(current, ("", ""))
    explained = f'<a class="ptp-explained" href="./learn#{step}">{text}</a>' if step else ""
    return (
        f'<header class="ptp-header">{brand}<nav aria-label="Pages">{links}</nav>'
        f'<span class="ptp-sub">{with_terms(pages[current][1])}</span>{explained}</header>'
    )


def heads() -> Heads:
    """The title and the description of each page by its path."""
    return {
        path: (f"{name} · {TITLE}" if path else f"{TITLE}: Parallel Token Prediction", re.sub(r"\[\[|]]", "", text))
        for path, (name, text) in {
            **{path: page[:2] for path, page in PAGES.items()},
            TAB: (TAB_NAME, TAB_SHOWS),
        }.items()
    }


def with_terms(text: str) -> str:
    """The text with each [[word]] as a button that opens the word's card (app/static/core/glossary.js)."""
    return re.sub(r"\[\[(.+?)]]", r'<button type="button" class="ptp-term" data-term="\1">\1</button>', text)


def watch_threads() -> None:
    """Lets calls take all threads or one, as ptp_core.decoding.thread_choice says; a bad setting ends the program."""
    try:
        thread_choice.watch_threads()
    except ValueError as error:
        raise SystemExit(str(error)) from None


def launch_options(tab: TabFiles | None = None) -> dict[str, Any]:
    """Arguments of launch(): look, privacy (nothing logged, nothing sent), MCP. tab: as build_demo's."""
    tab = tab or shipped()
    return {
        "theme": theme.theme(),
        "css": theme.css(),
        "app_kwargs": {
            "routes": [*modules.routes(), *([*tab.routes(), *tab_copy.routes(tab)] if tab else [])],
            "middleware": [
                Middleware(ClientLimits, limits=Limits()),
                Middleware(PageHeads, heads=heads(), config_title=TITLE, more=modules.preload() + gradio_preloads()),
            ],
        },
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": True,
        "show_error": True,
        "server_name": os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
    }
