"""An engine of a model: it lends workspaces to runs."""

from __future__ import annotations

import threading
import weakref
from queue import SimpleQueue

from ..model.ptp_model import PTPModel
from .graphs import Capture
from .network import Network, obstacle
from .shapes import CallShape, columns_for, reserve
from .workspace import Workspace

_MOST_IDLE = 4  # workspaces that wait for the next run; each holds a cache and its graphs
_EDITS = (0, 16, 256, 4096)  # buckets of edited clocks


class Engine:
    """Calls of fixed shapes for a model. It reads the model's weights at its first run, and pairs them.

    capture: how calls are captured and replayed (graphs.cuda_graph). None: they run as they are. one_row: calls have a
    single row, the best shape for plain decoding, in which nothing else is possible.
    """

    def __init__(self, model: PTPModel, capture: Capture | None = None, one_row: bool = False) -> None:
        """ValueError where the engine cannot run this model."""
        reason = obstacle(model)
        if reason:
            raise ValueError(reason)
        self._model = weakref.ref(model)
        self.capture, self.one_row = capture, one_row
        self._network: Network | None = None
        self._idle: list[tuple[tuple[CallShape, int], Workspace]] = []
        self._returned: SimpleQueue[tuple[tuple[CallShape, int], Workspace]] = SimpleQueue()
        self._lock = threading.RLock()

    def beside(self, model: PTPModel) -> Engine:
        """An engine of another model that runs in the same way."""
        return Engine(model, self.capture, self.one_row)

    @property
    def network(self) -> Network:
        with self._lock:
            if self._network is None:
                model = self._model()
                assert model is not None, "the model is gone"
                self._network = Network(model)
            return self._network

    def lend(self, owner: object, rows: int, length: int, num_edits: int = 0) -> Workspace:
        """A workspace for a text of `length` tokens at most. It comes back when its owner is no longer in use.

        rows: of tokens, one of shapes.ROWS; with one_row there is 1 all the same. num_edits: of the noise's clocks.
        """
        network = self.network
        rows = 1 if self.one_row else rows
        slots = rows if network.pairs and not self.one_row else 0
        reserved = reserve(rows, slots)
        shape = CallShape(rows, slots, columns_for(length, network.longest, reserved))
        edits = next(bucket for bucket in (*_EDITS, num_edits) if bucket >= num_edits)
        key = shape, edits
        with self._lock:
            while not self._returned.empty():
                self._idle.append(self._returned.get())
            self._idle = self._idle[-_MOST_IDLE:]
            place = next((i for i, (kept, _) in enumerate(self._idle) if kept == key), None)
            found = None if place is None else self._idle.pop(place)[1]
        workspace = found or Workspace(network, shape, reserved, edits, self.capture)
        workspace.cache.keep(0)
        # an owner may go at any moment, also while this thread is in here: its workspace waits in a queue
        weakref.finalize(owner, self._returned.put, (key, workspace)).atexit = False
        return workspace
