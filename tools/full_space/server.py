"""The lab as a process of its own on a loopback port, with a log and its memory watched."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .deadline import Deadline, Overdue, below

ROOT = Path(__file__).resolve().parents[2]
LAB = (sys.executable, "app.py")  # as a Space starts it
AS_ON_A_SPACE = {"PTP_LAB_OWN_MODELS": "0"}  # visitors bring no models
_LAST_LINES = 15
_MB = 1 << 20
_STEADY_MB, _STEADY_SECONDS = 10.0, 5.0


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """Starts when entered, and is ended when left. command reads its port from GRADIO_SERVER_PORT.

    log: the file that gets all it writes.
    """

    def __init__(self, deadline: Deadline, log: Path, command: Sequence[str] = LAB) -> None:
        self.port, self.log = free_port(), log
        self._deadline, self._command = deadline, command

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Server:
        told = {
            "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(self.port), "PYTHONUNBUFFERED": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
        }  # fmt: skip
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env={**os.environ, **AS_ON_A_SPACE, **told}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.memory = Memory(self.process.pid)
        try:
            self._deadline.until("the lab answers at its port", self._answers)
        except BaseException as error:
            self._end()
            if isinstance(error, Overdue):
                raise Overdue(f"{error} The last lines of {self.log}:\n{self.last_lines()}") from None
            raise
        self.memory.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.memory.stop()
        self._end()

    def last_lines(self) -> str:
        """The end of what the process wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise Overdue(f"The lab ended with status {self.process.returncode} before it answered.")
        try:
            urllib.request.urlopen(self.url, timeout=10).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)  # the group is this process's own
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Memory:
    """Reads how much memory a process and those below it hold, four times a second, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid, self.peak = pid, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def now(self) -> float:
        """MB that are resident now."""
        found = sum(resident(pid) for pid in (self._pid, *below(self._pid)))
        self.peak = max(self.peak, found)
        return found

    def steady(self, most: float) -> float:
        """MB once they no longer rise, which says that the models are loaded; waits for `most` seconds at most."""
        stop, last = time.monotonic() + most, -1.0
        while (found := self.now()) > last + _STEADY_MB and time.monotonic() < stop:
            last = found
            time.sleep(_STEADY_SECONDS)
        return found

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self.now()


def resident(pid: int) -> float:
    """MB of one process that are resident; 0 if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


def settled(memory: Memory, seconds: float) -> float:
    """MB after a while without visitors."""
    time.sleep(seconds)
    return memory.now()
