"""What the process keeps for its visitors: things under secret ids, and which runs were stopped."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import gradio as gr

from .line import CONCURRENCY_ID, LINE
from .values import Event
from .waiting import Waiting

T = TypeVar("T")


class Gone(ValueError):
    """What was asked for is not kept any more. The message is a sentence for the visitor."""


class Store(Generic[T]):
    """Keeps the last `capacity` things and forgets the oldest first. Safe to use from several threads.

    shipped(key) finds what comes with the project under that key, and None if there is nothing.
    gone is the sentence for a key that leads nowhere.
    """

    def __init__(
        self,
        capacity: int,
        gone: str = "This is no longer in memory.",
        shipped: Callable[[str], T | None] | None = None,
    ) -> None:
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._capacity, self._gone, self._shipped = capacity, gone, shipped
        self._lock = threading.Lock()

    def add(self, value: T) -> str:
        """Keeps a value under a new id that only its visitor learns; returns the id."""
        key = secrets.token_urlsafe(12)
        self.put(key, value)
        return key

    def put(self, key: Hashable, value: T) -> None:
        """Keeps a value under this key, in place of what was there."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)

    def find(self, key: Hashable) -> T | None:
        """What is kept under this key, or comes with the project under it; else None."""
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        return self._shipped(key) if self._shipped and isinstance(key, str) else None

    def get(self, key: Hashable) -> T:
        """As `find`, but raises Gone in place of None."""
        found = self.find(key)
        if found is None:
            raise Gone(self._gone)
        return found


class Tickets:
    """The runs that visitors have stopped. A run asks between two calls, so Stop needs no turn in the queue."""

    def __init__(self, capacity: int = 1000) -> None:
        self._stopped: Store[bool] = Store(capacity)

    def stop(self, ticket: str) -> None:
        self._stopped.put(ticket, True)

    def is_stopped(self, ticket: str) -> bool:
        return self._stopped.find(ticket) is not None


TICKETS = Tickets()


def until_stopped(ticket: str, events: Iterator[Event]) -> Iterator[Event]:
    """The events, each with the ticket of its run, up to the moment at which its visitor stops it.

    An event may have "tokens", how many the run may write, and "reached", the share of it that is done. Both are for
    those who wait.
    """
    with LINE.run(ticket) as running:
        while not TICKETS.is_stopped(ticket):
            event = next(events, None)
            if event is None or TICKETS.is_stopped(ticket):
                return
            if event.get("tokens"):
                running.may_write(event["tokens"])
            running.reached(event.get("reached", 0.0))
            yield {**event, "ticket": ticket}


async def stop_run(request: Event, asked: gr.Request) -> Event:
    """Stops the run of a ticket. One that still waits leaves the queue at once, so that nobody waits behind it."""
    ticket = str(request["ticket"])
    TICKETS.stop(ticket)
    await Waiting(asked.app.get_blocks()).leave(ticket, CONCURRENCY_ID)
    return {}
