"""A copy of the page that needs no lab: its modules, its model and one HTML file, in a folder for any web server.

A service worker keeps the copy's files in the browser. So it also opens without a network, once it was here. The lab
serves such a copy itself, at an address of its own: the worker has no say over the lab's other pages.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path, PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app import modules
from app.serving import theme
from app.standalone import FRAME, THEME

from .files import HEAD, PREFIX, WEIGHTS, TabFiles

ENTRIES = ("tab/index.js", "tab/worker/index.js")
STYLES = ("base.css", "tab.css")


KEEPER = "keeper.js"
KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".bin": "application/octet-stream",
}


@lru_cache(maxsize=4)
def copy_of(files: TabFiles) -> dict[str, bytes]:
    """The copy's files by their paths. Raises as pack does."""
    found: dict[str, bytes] = {}
    for name in dict.fromkeys(name for entry in ENTRIES for name in modules.needed(entry)):
        found[f"modules/{name}"] = modules.sources()[name]
    for name in (HEAD, WEIGHTS):
        content = files.content(name)
        assert content is not None
        found[name] = content
    style = theme.variables() + "".join((theme.STATIC / name).read_text(encoding="utf-8") for name in STYLES)
    value = json.dumps({"head": HEAD, "weights": WEIGHTS})
    page = (
        _PAGE.replace("STYLE", style.replace("</", "<\\/") + FRAME)
        .replace("THEME", THEME)
        .replace("VALUE", json.dumps(value))
    )
    found["index.html"] = page.encode()
    digest = hashlib.sha256(b"".join(name.encode() + content for name, content in sorted(found.items())))
    keeper = _KEEPER.replace("FILES", json.dumps(["./", *found])).replace("NAME", f"ptp-tab-{digest.hexdigest()[:12]}")
    return {**found, KEEPER: keeper.encode()}


def write_copy(files: TabFiles, folder: Path) -> Path:
    """Writes the copy into the folder, which is made if need be; the path of its index.html. Raises as pack does."""
    for name, content in copy_of(files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "index.html"


def address(files: TabFiles) -> str:
    """Where the lab serves the copy, relative to a page's base. It changes with the model and with the modules."""
    return f"{PREFIX}/{files.version}-{modules.version()}/copy/"


def routes(files: TabFiles) -> list[Route]:
    """The routes to the copy that the lab serves, for launch(app_kwargs={"routes": ...})."""

    async def serve(request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        content = (await run_in_threadpool(copy_of, files)).get(name)
        if content is None:
            return PlainTextResponse("There is no such file.", 404, {"Cache-Control": "no-store"})
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return Response(content, headers=headers, media_type=KINDS[PurePosixPath(name).suffix])

    return [Route(f"/{address(files)}{{name:path}}", serve)]


_KEEPER = """// Keeps the files of this copy in the browser, so that it opens without a network.
const name = "NAME";
addEventListener("install", (event) => event.waitUntil(
  caches.open(name).then((kept) => kept.addAll(FILES)).then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(caches.keys().then((all) => Promise.all(
  all.filter((one) => one.startsWith("ptp-tab-") && one !== name).map((one) => caches.delete(one))))));
addEventListener("fetch", (event) => event.respondWith(caches.open(name).then((kept) =>
  kept.match(event.request, { ignoreSearch: true })).then((found) => found || fetch(event.request))));
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parallel token prediction in your tab</title>
<style>
STYLEbody { color: var(--ptp-ink); }
body > h1 { font-size: 20px; margin: 4px 0 10px; }
</style>
</head>
<body>
<script>
THEME</script>
<h1>Parallel token prediction in your tab</h1>
<main id="page"><div class="ptp-race tab"></div></main>
<script type="module">
import { mount } from "./modules/tab/index.js";
mount({ element: document.getElementById("page"), props: { value: VALUE } });
if ("serviceWorker" in navigator) navigator.serviceWorker.register("keeper.js").catch(() => {});
</script>
<noscript>This page needs JavaScript: its model runs in the browser.</noscript>
</body>
</html>
"""
