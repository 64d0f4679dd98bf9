"""The lab as a process of its own, with the tiny model and slow calls: for tests that kill it.

The process reads its modules once. Each server is a copy of it, so that a new one is there within a second or two.

python -m support.lab_process PORT    # "start" and "kill", a line each, on its standard input
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from gradio import Blocks

ROOT = Path(__file__).resolve().parents[2]
SECONDS_PER_CALL = 1.0  # a run goes on until the server is killed


class LabProcess:
    """A server that can be killed and started again on the same port."""

    def __init__(self, port: int) -> None:
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
        self._port = port
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.lab_process", str(port)], cwd=ROOT, env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self) -> None:
        self._tell("start")
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the lab did not start in its own process")

    def kill(self) -> None:
        self._tell("kill")
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=5).close()
            except OSError:
                return
            time.sleep(0.1)
        raise RuntimeError("the lab did not end")

    def close(self) -> None:
        self.kill()
        self._process.kill()
        self._process.wait()

    def _tell(self, what: str) -> None:
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()


def tiny_demo(seconds: float) -> Blocks:
    """The lab with a tiny model whose texts run to their limit, and whose calls take so many seconds each."""
    from support.pages import slow
    from support.tiny_model import make_adapter, make_target, make_tokenizer

    from app.main import build_demo
    from app.serving.models import ModelShelf
    from ptp_core.model.ptp_model import PTPModel

    class Endless(PTPModel):
        eos_tokens = frozenset()

    model = Endless(make_target(context=512), make_tokenizer(), make_adapter(), name="tiny").eval()
    slow(pytest.MonkeyPatch(), seconds)
    return build_demo(ModelShelf(lambda *_, **__: model))


def main(port: int) -> None:
    from app.main import launch_options

    demo, child = tiny_demo(SECONDS_PER_CALL), 0
    for line in sys.stdin:
        if line == "start\n":
            child = os.fork()
            if not child:
                demo.launch(**launch_options(), quiet=True, server_port=port)
                return
        elif child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            child = 0
    if child:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
