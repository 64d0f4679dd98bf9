"""The static copy of the Learn page: one HTML file that opens from a disk or any web server, without Python or network.

Its modules become entries of an import map, each a data: address, so that a page opened from a file may import them.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
from pathlib import Path

from app import modules
from app.serving import theme
from app.standalone import FRAME, THEME

from .data import SOURCES, learn_data

ENTRY = "learn/index.js"
_IMPORT = re.compile(r'(^\s*(?:import|export)\b[^"\n]*?from\s*|^\s*import\s*)"(\.{1,2}/[^"]+)"', re.MULTILINE)


def static_copy() -> str:
    """The whole page as HTML: styles, modules and data inside."""
    found = _closure(ENTRY)
    addresses = {
        name: "data:text/javascript;base64," + base64.b64encode(text.encode()).decode() for name, text in found.items()
    }
    data = {name: json.loads(learn_data(name)) for name in SOURCES}
    style = theme.variables() + (theme.STATIC / "learn.css").read_text(encoding="utf-8")
    return _PAGE.format(
        style=style.replace("</", "<\\/") + FRAME,
        theme=THEME,
        imports=_script({"imports": addresses}),
        data=_script(data),
        entry=json.dumps(ENTRY),
    )


def write_copy(folder: Path) -> Path:
    """Writes index.html into the folder, which is made if need be, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(static_copy(), encoding="utf-8")
    return path


def _closure(entry: str) -> dict[str, str]:
    """The entry and every module that it imports, with relative imports turned into the names of the import map."""
    sources, found, wanted = modules.sources(), {}, [entry]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        folder = posixpath.dirname(name)

        def named(match: re.Match[str], folder: str = folder) -> str:
            target = posixpath.normpath(posixpath.join(folder, match[2]))
            wanted.append(target)
            return f'{match[1]}"{target}"'

        found[name] = _IMPORT.sub(named, sources[name].decode())
    return found


def _script(value: object) -> str:
    """JSON as it may stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>How a model can write ahead: parallel token prediction</title>
<style>
{style}</style>
<script type="importmap">{imports}</script>
</head>
<body>
<script>
{theme}</script>
<main id="learn"></main>
<script type="application/json" id="learn-data">{data}</script>
<script type="module">
import {{ start }} from {entry};
const data = JSON.parse(document.getElementById("learn-data").textContent);
start(document.getElementById("learn"), {{ data: async (name) => data[name], links: null, server: null }});
</script>
<noscript>This page needs JavaScript: its figures run in the browser.</noscript>
</body>
</html>
"""
