"""The copy for any web server holds all that the page needs."""

from __future__ import annotations

import json
import posixpath
import re

from app.tab.export import write_copy
from app.tab.files import TabFiles


def test_the_copy_holds_every_module_and_the_model(tmp_path, target, adapter):
    files = TabFiles(target, {"ptp": adapter})
    page = write_copy(files, tmp_path / "new" / "copy")
    root = page.parent
    modules = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.js") if path.name != "keeper.js")
    assert {"modules/tab/index.js", "modules/tab/worker/index.js"} <= set(modules)
    for name in modules:
        for other in re.findall(r'^(?:import|export)\b[^;]*?from "(\.[^"]+)";', (root / name).read_text(), re.M):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), other)) in modules
    head = json.loads((root / "head.json").read_text())
    assert (root / "weights.bin").stat().st_size == head["bytes"]
    kept = json.loads(re.search(r"addAll\((\[.*?\])\)", (root / "keeper.js").read_text())[1])
    assert set(kept) == {"./", "index.html", "head.json", "weights.bin", *modules}


def test_the_copy_asks_no_other_server(tmp_path, target, adapter):
    text = write_copy(TabFiles(target, {"ptp": adapter}), tmp_path).read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|gradio_api/", text)
