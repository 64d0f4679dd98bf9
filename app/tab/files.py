"""The model that comes with the page: which folders, where the browser finds their file, and the routes to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.modules import FOR_GOOD
from ptp_core.folders import adapters_folder
from ptp_core.storage.built_in import BUILT_IN, target_folder
from ptp_core.storage.built_in import WEIGHTS as WEIGHTS_FILE

from .pack import FORMAT, pack

PREFIX = "gradio_api/tab"  # below Gradio's own prefix, as the modules: proxies let it through
HEAD, WEIGHTS = "head.json", "weights.bin"
TARGET = "ptp-small"  # its name among the lab's targets (ptp_core/storage/built_in.py)
_TARGET_FILES = ("config.json", "tokenizer.json", WEIGHTS_FILE)


class TabFiles:
    """What the browser downloads of one target and its adapters, made at the first request and kept in memory."""

    def __init__(self, target: Path, adapters: Mapping[str, Path]) -> None:
        self.target, self.adapters = target, dict(adapters)
        self._lock = Lock()

    @cached_property
    def version(self) -> str:
        """A hash over the folders' files. So a browser may keep what it fetched for good."""
        digest = hashlib.sha256(FORMAT.encode())
        for folder in (self.target, *self.adapters.values()):
            for path in sorted(folder.iterdir()):
                if path.suffix in (".json", ".safetensors"):
                    digest.update(f"{path.name}\n".encode() + path.read_bytes())
        return digest.hexdigest()[:12]

    @cached_property
    def _packed(self) -> dict[str, bytes]:
        head, binary = pack(self.target, self.adapters)
        return {HEAD: json.dumps(head, separators=(",", ":")).encode(), WEIGHTS: binary}

    def content(self, file: str) -> bytes | None:
        """One of the two files; None for any other name. Raises as pack does."""
        with self._lock:
            return self._packed.get(file)

    def address(self, file: str) -> str:
        """Where the browser finds a file, relative to the page's base."""
        return f"{PREFIX}/{self.version}/{file}"

    def routes(self) -> list[Route]:
        """The routes to the files, for launch(app_kwargs={"routes": ...})."""
        return [Route(f"/{PREFIX}/{{version}}/{{file}}", self._serve)]

    async def _serve(self, request: Request) -> Response:
        """A file of this version; anything else is not there, and no browser keeps that answer."""
        version, file = request.path_params["version"], request.path_params["file"]
        found = await run_in_threadpool(self.content, file) if version == self.version else None
        if found is None:
            return PlainTextResponse("There is no such file.", 404, {"Cache-Control": "no-store"})
        kind = "application/json" if file == HEAD else "application/octet-stream"
        return Response(
            found, headers={"Cache-Control": FOR_GOOD, "X-Content-Type-Options": "nosniff"}, media_type=kind
        )


def shipped() -> TabFiles | None:
    """The small model that comes with the lab; None where its folders are not there."""
    found, target = BUILT_IN[TARGET], target_folder(TARGET)
    if target is None or not all((target / name).is_file() for name in _TARGET_FILES):
        return None
    adapters = {"ptp": adapters_folder() / found.adapter, "blind": adapters_folder() / found.blind_adapter}
    there = {name: folder for name, folder in adapters.items() if (folder / "ptp_config.json").is_file()}
    return TabFiles(target, there) if "ptp" in there else None
