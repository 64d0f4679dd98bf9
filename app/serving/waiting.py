"""The runs in Gradio's queue: whose they are, where a ticket stands among them, and whose turn is next.

Gradio tells this to the run's own page alone, for an indicator that the lab does not show. So this is the one place
that reads and orders the queue's inner lists. Tests hold it to the pinned version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gradio as gr
from gradio.server_messages import ProcessCompletedMessage

from .clients import client_of

T = TypeVar("T")


class Waiting:
    """What waits in the queue of an app, and what goes on."""

    def __init__(self, demo: gr.Blocks) -> None:
        self._queue: Any = demo._queue

    def runs_of(self, client: str) -> int:
        """How many of this client's events wait or go on."""
        lines = list(self._queue.event_queue_per_concurrency_id.values())
        waiting = [event for line in lines for event in list(line.queue)]
        return sum(_client(event) == client for event in (*waiting, *self._running()))

    def _running(self) -> list[Any]:
        return [event for job in list(self._queue.active_jobs) if job for event in list(job)]

    def ahead(self, ticket: str, concurrency_id: str) -> int | None:
        """How many events wait before the one of this ticket; None if that one does not wait."""
        events = list(self._line(concurrency_id))
        return next((i for i, event in enumerate(events) if ticket in _tickets(event)), None)

    def _line(self, concurrency_id: str) -> list[Any]:
        line = self._queue.event_queue_per_concurrency_id.get(concurrency_id)
        return line.queue if line else []

    async def leave(self, ticket: str, concurrency_id: str) -> None:
        """Takes the event of this ticket out of the queue, if it waits there, and tells its page that it is over.

        To be awaited in the server's own loop, in which the queue is read.
        """
        for event in [event for event in self._line(concurrency_id) if ticket in _tickets(event)]:
            over = ProcessCompletedMessage(output={"data": []}, success=True)
            await self._queue.clean_events(event_id=event._id)
            self._queue.send_message(event, over)

    def take_turns(self, concurrency_id: str) -> None:
        """Orders what waits so that clients take turns; see `turns`. To be called in the server's own loop."""
        line = self._line(concurrency_id)
        running = Counter(_client(event) for event in self._running() if event.concurrency_id == concurrency_id)
        line[:] = turns(line, _client, running)


def turns(waiting: Sequence[T], client: Callable[[T], str | None], running: Counter[str | None]) -> list[T]:
    """The waiting in the order of their turns: each client's first, then each one's second, and so on.

    running: how many of a client go on already, which are turns it has had. Within a round the order stays.
    """
    had, rounds = Counter(running), []
    for one in waiting:
        rounds.append(had[client(one)])
        had[client(one)] += 1
    order = sorted(range(len(rounds)), key=rounds.__getitem__)
    return [waiting[i] for i in order]


def _client(event: Any) -> str | None:
    return client_of(event.request.scope)


def _tickets(event: Any) -> list[Any]:
    """Where an event may carry its ticket: its first input, or what its component triggered it with."""
    data, told = event.data.data or [None], event.data.event_data
    return [data[0], told.get("ticket") if isinstance(told, dict) else None]
