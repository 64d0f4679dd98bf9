"""What the process keeps for its visitors: which runs they have stopped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from .values import Event


class Tickets:
    """Runs that their visitors have stopped. A run asks between two calls, so Stop needs no turn in the queue."""

    def __init__(self, capacity: int = 1000) -> None:
        self._stopped: OrderedDict[str, None] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def stop(self, ticket: str) -> None:
        with self._lock:
            self._stopped[ticket] = None
            while len(self._stopped) > self._capacity:
                self._stopped.popitem(last=False)

    def is_stopped(self, ticket: str) -> bool:
        with self._lock:
            return ticket in self._stopped


TICKETS = Tickets()


def until_stopped(ticket: str, events: Iterator[Event]) -> Iterator[Event]:
    """The events, each with the ticket of its run, up to the moment at which its visitor stops it."""
    while not TICKETS.is_stopped(ticket):
        event = next(events, None)
        if event is None or TICKETS.is_stopped(ticket):
            return
        yield {**event, "ticket": ticket}


def stop_run(request: Event) -> Event:
    """Stops the run of a ticket, whether it is decoding or still waits for its turn."""
    TICKETS.stop(str(request["ticket"]))
    return {}
