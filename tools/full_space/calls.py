"""Callers of the API: one that asks and waits, and one that floods."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ptp_core.methods import BASELINE

from .deadline import Overdue
from .plan import Visit

FLOODER = "198.51.100.9"  # its address, one for documentation


def post(url: str, path: str, body: Any, address: str, seconds: float = 60.0) -> tuple[int, Any]:
    """(status, answer) of a call. body: bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}gradio_api/{path}", data, {"Content-Type": "application/json", "X-Forwarded-For": address}
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def result(url: str, event: str, address: str, seconds: float) -> Any:
    """What a call of `generate` brings in the end; Overdue if it brings none in time."""
    request = urllib.request.Request(f"{url}gradio_api/call/generate/{event}", headers={"X-Forwarded-For": address})
    stop = time.monotonic() + seconds
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        kind = ""
        for line in answer:
            text = line.decode().strip()
            if text.startswith("event: "):
                kind = text.removeprefix("event: ")
            elif text.startswith("data: ") and kind == "complete":
                return json.loads(text.removeprefix("data: "))[0]
            elif text.startswith("data: ") and kind == "error":
                raise Overdue(f"The lab answered a call with {text.removeprefix('data: ')}.")
            if time.monotonic() > stop:
                break
    raise Overdue("A call of the API brought nothing in time.")


def generate(url: str, visit: Visit, seconds: float, method: str | None = None) -> str:
    """The text that the API writes for a visitor's prompt and seed."""
    asked = {"prompt": visit.prompt, "seed": visit.seed, "max_new_tokens": visit.tokens, "model": visit.model}
    status, told = post(url, "call/v2/generate", asked | ({"method": method} if method else {}), visit.address)
    if status != 200:
        raise Overdue(f"The API refused a call: {told}.")
    trace = result(url, told["event_id"], visit.address, seconds)
    return "".join(token["text"] for step in trace["steps"] for token in step["emitted"])


def alone(url: str, visit: Visit, seconds: float) -> str:
    """The same text by plain decoding, for a time at which nobody else runs."""
    return generate(url, visit, seconds, BASELINE)


class Caller(threading.Thread):
    """A caller of the API with one run, by the drafting method that the API chooses."""

    def __init__(self, url: str, visit: Visit, seconds: float) -> None:
        super().__init__(daemon=True)
        self.visit, self._url, self._seconds = visit, url, seconds
        self.text, self.error, self.done_seconds = "", "", 0.0

    def run(self) -> None:
        began = time.monotonic()
        try:
            self.text = generate(self._url, self.visit, self._seconds)
        except (OSError, ValueError, RuntimeError) as error:
            self.error = str(error)
        self.done_seconds = time.monotonic() - began


@dataclass
class Flooded:
    """What a flooder got: how many calls it made, how many were taken, how many refused, and in which words."""

    calls: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)
    silent: int = 0  # refused, or failed, without a sentence


class Flooder:
    """One client that asks for runs, sends race files and leaves files, each as fast as it is answered."""

    def __init__(self, url: str, run: dict[str, Any], file: str, component: int) -> None:
        self._url, self._over, self._lock = url, threading.Event(), threading.Lock()
        asked = {"data": {"text": file}, "component_id": component, "session_hash": "flood", "fn_name": "open_file"}
        kinds = {
            "runs": ("call/v2/generate", json.dumps(run).encode()),
            "race files": ("component_server/", json.dumps(asked).encode()),
            "files to keep": ("upload", b"x" * 100_000),
        }
        self.found = Flooded()
        self._threads = [
            threading.Thread(target=self._flood, args=(kind, *what), daemon=True) for kind, what in kinds.items()
        ]

    def __enter__(self) -> Flooder:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _flood(self, kind: str, path: str, body: bytes) -> None:
        while not self._over.is_set():
            try:
                status, told = post(self._url, path, body, FLOODER)
            except (OSError, ValueError):
                status, told = 0, {}
            says = told.get("detail") or told.get("error") if isinstance(told, dict) else None
            with self._lock:
                self.found.calls += 1
                if status == 200 and not (says and "Try again" in says):
                    self.found.taken[kind] += 1
                    continue
                self.found.refused[kind] += 1
                self.found.silent += not says
                if says and says not in self.found.sentences:
                    self.found.sentences.append(says)
