"""A limit for each client, so that one who floods the lab does not starve the others.

Two things are counted. Runs: how many of a client's runs wait or go on. Calls: a budget that fills up with time, from
which every call takes one unit, and one more for every 50 kB that it brings. Clients whose runs wait take turns.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .clients import client_of
from .line import CONCURRENCY_ID
from .waiting import Waiting

RUNS, CALLS = "PTP_LAB_CLIENT_RUNS", "PTP_LAB_CLIENT_CALLS"  # 0: no limit
MOST_BYTES = 32 << 20  # of one request; the largest file that a page takes is smaller
TOO_LARGE = f"A request may bring {MOST_BYTES >> 20} MB at most."
_DEFAULT_RUNS, _DEFAULT_CALLS = 10, 40
_SAVED_SECONDS = 30  # so much of the budget can be saved up
_BYTES_PER_UNIT = 50_000
_KEPT_CLIENTS = 10_000
_JOINS = ("/queue/join", "/call/")  # what asks for a run
_ASKED = "/component_server"  # what a page asks without a run; Gradio's client reads only answers of status 200
_UPLOAD = "/gradio_api/upload"


@dataclass
class Budget:
    """Units that a client may spend; they come back at `rate` a second, up to `most`."""

    left: float
    since: float

    def spend(self, units: float, now: float, rate: float, most: float) -> float:
        """Takes the units if something is left, and returns 0; else takes none and returns the seconds to wait."""
        self.left = min(most, self.left + rate * (now - self.since))
        self.since = now
        if self.left <= 0:
            return (1 - self.left) / rate
        self.left -= units
        return 0.0


class Limits:
    """What each client has used. Safe to use from several threads.

    runs and calls (a second) are the limits; 0 is off.
    """

    def __init__(
        self, runs: int | None = None, calls: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.runs = _number(RUNS, _DEFAULT_RUNS) if runs is None else runs
        self.calls = _number(CALLS, _DEFAULT_CALLS) if calls is None else calls
        self._clock = clock
        self._budgets: OrderedDict[str, Budget] = OrderedDict()
        self._joining: Counter[str] = Counter()  # runs on their way into the queue
        self._lock = threading.Lock()

    def spend(self, client: str, units: float) -> str | None:
        """Takes units from a client's budget; a sentence if nothing is left there."""
        if not self.calls:
            return None
        with self._lock:
            now, most = self._clock(), _SAVED_SECONDS * self.calls
            budget = self._budgets.setdefault(client, Budget(most, now))
            self._budgets.move_to_end(client)
            while len(self._budgets) > _KEPT_CLIENTS:
                self._budgets.popitem(last=False)
            wait = budget.spend(units, now, self.calls, most)
        if not wait:
            return None
        return f"Your address has sent more than this lab takes at once. Try again in {math.ceil(wait)} s."

    def join(self, client: str, there: int) -> str | None:
        """Counts a run that is about to join `there` others of its client in the queue, until `joined` is called.

        A sentence if the client has enough there; then nothing was counted.
        """
        with self._lock:
            there += self._joining[client]
            if self.runs and there >= self.runs:
                return (
                    f"This lab takes {self.runs} runs at once from one address, and {there} of yours wait or go on. "
                    "Wait until one is done, or stop one."
                )
            self._joining[client] += 1
            return None

    def joined(self, client: str) -> None:
        """A run that `join` counted is in the queue now, or was refused there."""
        with self._lock:
            self._joining[client] -= 1
            if not self._joining[client]:
                del self._joining[client]


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if text and not text.isdigit():
        raise SystemExit(f"{variable} is a whole number, 0 for no limit; got {text!r}.")
    return int(text) if text else default


class ClientLimits:
    """ASGI middleware that holds every client to the limits. A call over them is answered with a sentence.

    Its status is 429, or 413 for a body that is too large. What a page asks without a run gets {"error": sentence}
    and status 200, since Gradio's client keeps other answers to itself.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        client, length = client_of(scope), _length(scope)
        refusal = self._refusal(scope, client, length)
        if refusal is not None:
            status, says = refusal
            asked = _ASKED in scope["path"]
            await _read_on(receive)
            answer = JSONResponse({"error": says} if asked else {"detail": says}, 200 if asked else status)
            await answer(scope, receive, send)
            return
        if length is None:
            receive = self._counted(receive, client)
        try:
            await self.app(scope, receive, send)
        finally:
            if _joins(scope):
                if client:
                    self.limits.joined(client)
                Waiting(scope["app"].get_blocks()).take_turns(CONCURRENCY_ID)

    def _refusal(self, scope: Scope, client: str | None, length: int | None) -> tuple[int, str] | None:
        """(status, sentence) if a request is refused; else what it takes is counted."""
        if scope["path"].rstrip("/").endswith(_UPLOAD):
            return 403, "This lab keeps no files. Its pages read them in the browser."
        if length is not None and length > MOST_BYTES:
            return 413, TOO_LARGE
        if client is None:
            return None
        says = self.limits.spend(client, 1 + (length or 0) / _BYTES_PER_UNIT)
        if says is None and _joins(scope):
            says = self.limits.join(client, Waiting(scope["app"].get_blocks()).runs_of(client))
        return None if says is None else (429, says)

    def _counted(self, receive: Receive, client: str | None) -> Receive:
        """A body that does not tell its length. HTTPException once it is too large, or more than the client has."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            length = len(message.get("body", b""))
            read += length
            if read > MOST_BYTES:
                raise HTTPException(413, TOO_LARGE)
            says = self.limits.spend(client, length / _BYTES_PER_UNIT) if client else None
            if says:
                raise HTTPException(429, says)
            return message

        return counted


async def _read_on(receive: Receive) -> None:
    """Reads a refused body and forgets it: whoever still sends hears no answer. Stops where it is too large."""
    read, more = 0, True
    while more and read <= MOST_BYTES:
        message = await receive()
        read += len(message.get("body", b""))
        more = message.get("more_body", False)


def _joins(scope: Scope) -> bool:
    return any(part in scope["path"] for part in _JOINS)


def _length(scope: Scope) -> int | None:
    """The length that a request tells, bytes; None if it tells none."""
    told = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(told) if told.isdigit() else None
