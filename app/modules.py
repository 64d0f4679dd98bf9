r"""ES modules in the browser, without a build step.

Every script under app/static is a module. The server reads them once and serves them from memory, joined into one
answer (joined.py) at `gradio_api/lab/VERSION/lab.js`, and each by itself at `gradio_api/lab/VERSION/race/index.js`
for instance. VERSION is a hash of them all, so a browser may keep what it fetched for good, and modules of two
releases never meet. The address lies below Gradio's own prefix: a proxy in front of the lab that lets Gradio's calls
through lets the modules through as well.

To show a module on a new page, write app/static/PAGE/index.js:

    // @ts-check
    export function mount({ element, props, watch, server, trigger }) { ... }

and in the page's Python:

    page = gr.HTML(value, html_template="<div></div>", js_on_load=modules.mount("PAGE/index.js", "chosen"))
    page.chosen(fn, ...)  # runs where the module calls trigger("chosen", {...})

The five arguments are those that Gradio hands to `js_on_load`. Modules import one another by relative paths, as
in `import { el } from "../core/dom.js"`. For a listener's `js=`, there is `modules.call`. Folders: core/ is what
all pages share, charts/ draws charts, and each page has its own. A page imports from those two and from itself.
Types stand in JSDoc. To check them, where Node is at hand:

    npx -p typescript@5 tsc --noEmit --allowJs --checkJs --strict --target es2022 --module es2022 \
      --moduleResolution bundler --lib es2023,dom,dom.iterable app/static/*/*.js app/static/core/shared.d.ts
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .joined import imported, joined
from .shared import shared_module

STATIC = Path(__file__).resolve().parent / "static"
PREFIX = "gradio_api/lab"
FOR_GOOD = "public, max-age=31536000, immutable"
JOINED = "lab.js"
WORKER = "tab/worker/"  # modules of a worker, which has no part in the page's
LOST = "This part of the lab did not load. Reload the page."
# The dotted word that was tapped last. core/glossary.js opens its card where that was before it had loaded.
EARLY = '<script>addEventListener("click", (on) => { window.ptpEarly = on.target.closest?.("[data-term]"); })</script>'


@lru_cache(maxsize=1)
def sources() -> Mapping[str, bytes]:
    """Every module's text by its path below app/static, read once; core/shared.js is made from Python's values."""
    found = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in sorted(STATIC.rglob("*.js"))}
    return {**found, "core/shared.js": shared_module()}


@lru_cache(maxsize=1)
def version() -> str:
    """A hash over all modules: it changes with any of them, since they import each other by relative paths."""
    digest = hashlib.sha256(joined_module())
    for text in sources().values():
        digest.update(text)
    return digest.hexdigest()[:12]


@lru_cache(maxsize=1)
def joined_module() -> bytes:
    """The text of lab.js: all modules that a page imports, in one. A worker fetches its own by their addresses."""
    entries = [name for name in sources() if not name.startswith(WORKER)]
    wanted = sorted({name for entry in entries for name in needed(entry)})
    return joined({name: sources()[name].decode() for name in wanted}).encode()


@lru_cache(maxsize=64)
def _packed(name: str) -> bytes:
    """A module's text as gzip."""
    return gzip.compress(_text(name) or b"", 9, mtime=0)


def _text(name: str) -> bytes | None:
    return joined_module() if name == JOINED else sources().get(name)


def imports(module: str) -> list[str]:
    """The modules that a module imports, by their paths below app/static."""
    return imported(module, sources()[module].decode())


def needed(module: str) -> list[str]:
    """The module and all that it imports, directly or through others."""
    found = [module]
    for name in found:  # grows while it is read
        found += [other for other in dict.fromkeys(imports(name)) if other not in found]
    return found


def address(module: str) -> str:
    """Where the browser finds a module, relative to the page's base; ValueError if there is no such module."""
    if _text(module) is None:
        raise ValueError(f"There is no module {module} under app/static.")
    return f"{PREFIX}/{version()}/{module}"


def _import(module: str) -> str:
    """JavaScript for a promise of what a module exports; ValueError if there is no such module."""
    address(module)
    return f'import(new URL("{address(JOINED)}", document.baseURI)).then((lab) => lab.module("{module}"))'


def preload() -> str:
    """What the head of every page asks for at once, and remembers, while Gradio's own scripts are on their way."""
    return f'<link rel="modulepreload" href="{address(JOINED)}" />{EARLY}'


def mount(module: str, *events: str) -> str:
    """A component's `js_on_load`: imports the module and calls its mount(). A sentence stands in if that fails.

    `events` are the names of what the module triggers. Gradio knows them by their standing here, in quotes.
    """
    named = f"// triggers {', '.join(map(repr, events))}\n" if events else ""
    return (
        f"{named}{_import(module)}.then("
        "(module) => module.mount({ element, props, watch, server, trigger }), "
        f'() => {{ element.textContent = "{LOST}"; }});'
    )


def call(module: str, function: str) -> str:
    """A listener's `js=` that calls one exported function of a module with the listener's inputs."""
    return f"async (...inputs) => (await {_import(module)}).{function}(...inputs)"


def routes() -> list[Route]:
    """The route to the modules, for launch(app_kwargs={"routes": routes()})."""
    return [Route(f"/{PREFIX}/{{version}}/{{module:path}}", _serve)]


async def _serve(request: Request) -> Response:
    """One module of this version; anything else is not there, and no browser keeps that answer."""
    module = request.path_params["module"]
    text = _text(module)
    if text is None or request.path_params["version"] != version():
        return PlainTextResponse("There is no such module.", 404, {"Cache-Control": "no-store"})
    headers = {"Cache-Control": FOR_GOOD, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):  # packed once, and not again for every visitor
        headers["Content-Encoding"], text = "gzip", _packed(module)
    return Response(text, headers=headers, media_type="text/javascript")
