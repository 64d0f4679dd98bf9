"""The head of each page as search engines, chats and browser tabs read it: title and description.

Gradio serves one head for all pages. This layer writes each page's own into the HTML on its way out.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Heads = Mapping[str, tuple[str, str]]  # path: (title, description)
_LATE = ("Blocks", "HTML")  # the last waves that every page of the lab needs
_IMPORTED = re.compile(r'(?:\bfrom|\bimport)\s*["`]\./([\w.-]+\.js)["`]')  # static imports of a built script
_META = re.compile(
    r'\s*<meta\s+(?:property|name)="(?:og:title|og:description|og:url|twitter:title|twitter:description|description)"'
    r'\s+content="[^"]*"\s*/?>'
)


def with_head(text: str, title: str, description: str, config_title: str, more: str = "") -> str:
    """A page's HTML with its own title and description, and more for the head; other text comes back as it was."""
    if "window.gradio_config" not in text:
        return text
    told = {"title": html.escape(title), "description": html.escape(description)}
    lines = [f"<title>{told['title']}</title>", f'<meta name="description" content="{told["description"]}" />']
    lines += [f'<meta property="og:{name}" content="{value}" />' for name, value in told.items()]
    lines += [f'<meta name="twitter:{name}" content="{value}" />' for name, value in told.items()]
    text = re.sub(r"<title>.*?</title>", "", _META.sub("", text), flags=re.DOTALL)
    text = text.replace(f'"title":{json.dumps(config_title)}', f'"title":{json.dumps(title)}', 1)
    return text.replace("<head>", "<head>\n\t\t" + "\n\t\t".join([*lines, more]), 1)


def gradio_preloads(entries: Sequence[str] = _LATE) -> str:
    """Links that let a browser ask at once for those of Gradio's scripts that it would learn of late.

    Gradio's page asks for its scripts in four waves, each found in the one before. entries: names of scripts without
    their hashes; what they import comes with them. A name that Gradio does not have, or has twice, is left out.
    """
    folder = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    found = [paths[0].name for name in entries if len(paths := list(folder.glob(f"{name}-????????.js"))) == 1]
    for script in found:  # grows while it is read
        text = (folder / script).read_text(encoding="utf-8")
        found += [name for name in _IMPORTED.findall(text) if name not in found and (folder / name).is_file()]
    return "".join(f'<link rel="modulepreload" href="assets/{name}" />' for name in found)


class PageHeads:
    """ASGI middleware that gives every page its own head. Anything but a page passes untouched and unbuffered."""

    def __init__(self, app: ASGIApp, heads: Heads, config_title: str, more: str = "") -> None:
        self.app, self.heads, self.config_title, self.more = app, heads, config_title, more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or "gradio_api" in scope["path"]:
            await self.app(scope, receive, send)
            return
        last = scope["path"].rstrip("/").rpartition("/")[2]
        head = self.heads.get(last, self.heads[""])  # behind a proxy's path, the first page has any name
        start: dict[str, Any] = {}
        body = b""

        async def changed(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
                if not any(kind.startswith(b"text/html") for kind in kinds):
                    await send(message)
                    return
                start.update(message)
            elif message["type"] == "http.response.body" and start:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await finish()
            else:
                await send(message)

        async def finish() -> None:
            content = with_head(body.decode("utf-8", "replace"), *head, self.config_title, self.more).encode()
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            headers.append((b"content-length", str(len(content)).encode()))
            await send({**start, "type": "http.response.start", "headers": headers})
            await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, changed)
