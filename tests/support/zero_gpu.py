"""app.py as on a ZeroGPU Space, without a GPU: a script for a process of its own, and the platform that it asks.

    python tests/support/zero_gpu.py ROOT MODEL ADAPTER ANSWERS

The real `spaces` package patches torch, packs the weights at launch, starts the processes that have "the GPU", and
pickles what goes in and comes out. Stood in for are three things that need hardware: torch's own build for CUDA,
the GPU of those processes (the package's own emulation goes on there), and counters of GPU memory.
"""

from __future__ import annotations

import importlib.machinery
import json
import multiprocessing
import os
import runpy
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit


class Platform(ThreadingHTTPServer):
    """Grants every request for the GPU; `asked` keeps the seconds of each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Granting)
        self.asked: list[int] = []
        self.calls: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Granting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked, server = urlsplit(self.path), self.server
        server.calls.append(asked.path)
        answer, status = {}, 200
        if asked.path == "/schedule":
            server.asked.append(int(parse_qs(asked.query)["durationSeconds"][0]))
            answer = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": str(len(server.asked))}
            status = 503 if server.asked[-1] == REFUSED_SECONDS else 200
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


PROMPT, TOKENS, SEED = "abc", 12, 3
REFUSED_TOKENS, REFUSED_SECONDS = 64, 10  # a race of so many tokens asks for so many seconds, and gets none
LIVE = {
    "source": "own", "prompts": "abc\nhg fe", "count": 2, "methods": ["pqd"], "tokens": 8, "temperature": 0.7,
    "budget": "auto", "seed": SEED,
}  # fmt: skip


def not_forked() -> bool:
    """What torch's own function says in a process without CUDA; this one can be pickled."""
    return False


class _TorchForCuda:
    """Finds torch and makes it look as if built for CUDA; notes whether `spaces` was there when it came."""

    came_after_spaces: bool | None = None

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != "torch":
            return None
        _TorchForCuda.came_after_spaces = "spaces" in sys.modules
        spec = importlib.machinery.PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        plain = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            plain(module)
            module.version.cuda = "13.0"
            module._C._cuda_init = lambda: None
            module.cuda._is_in_bad_fork = not_forked

        spec.loader.exec_module = exec_module
        return spec


def give_gpu(callback: object = None) -> None:
    """In a process that has "the GPU": reads the packed weights again, and emulates the GPU in every thread."""
    import torch
    from spaces.zero.torch import patching

    for pack in patching.tensor_packs:
        with Path(pack.path()).open("rb") as file:
            for tensor, size, aligned in chain(*pack.batches, pack.big_tensors):
                values = torch.empty(0, dtype=tensor.dtype)
                if size:
                    values = torch.frombuffer(bytearray(file.read(aligned)[:size]), dtype=tensor.dtype)
                values = values.as_strided(tensor.shape, tensor.stride())
                for fake in pack.fakes[tensor]:
                    patching.cuda_aliases[fake] = values.requires_grad_(fake.requires_grad)
    torch.cuda.reset_peak_memory_stats = lambda *_: None
    torch.cuda.max_memory_allocated = lambda *_: 1 << 20
    plain = threading.Thread.run

    def run(thread: threading.Thread) -> None:
        patching.enter_mode()
        plain(thread)

    threading.Thread.run = run


def visit(answers: str) -> None:
    """What visitors do, in threads that are not the main one; writes what they got and ends the process."""
    found: dict[str, object] = {"spaces before torch": _TorchForCuda.came_after_spaces}
    try:
        for work in (ask_for_races, ask_for_a_map, ask_for_a_benchmark):
            found |= work()
    except Exception:
        found["error"] = traceback.format_exc()
    Path(answers).write_text(json.dumps(found), encoding="utf-8")
    for worker in multiprocessing.active_children():  # they would outlive this process
        worker.kill()
    os._exit(0)


def ask_for_races() -> dict[str, object]:
    """Over HTTP, as any client; the second time no GPU is free."""
    from gradio_client import Client

    address = f"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}"
    for _ in range(240):
        try:
            client = Client(address, verbose=False)
            break
        except Exception:
            time.sleep(0.25)
    told = {"prompt": PROMPT, "seed": SEED, "api_name": "/race"}
    race = client.predict(**told, max_new_tokens=TOKENS)
    try:
        refused = str(client.predict(**told, max_new_tokens=REFUSED_TOKENS))
    except Exception as error:
        refused = str(error)
    return {"race": race, "refused": refused}


def ask_for_a_map() -> dict[str, object]:
    """A race, one more on a moved u, and a unit square; then a map that the process with the GPU refuses."""
    from app.noise.events import NoiseRunner
    from app.race.events import RaceRunner
    from app.race.races import RUNS
    from app.serving.models import ModelChoice

    shelf = sys.modules["__main__"].shelf
    raced = list(RaceRunner(shelf).run(ModelChoice(), {"prompt": PROMPT, "seed": SEED, "max_new_tokens": TOKENS}))
    runner, run = NoiseRunner(shelf), raced[-1]["run"]
    moved = list(runner.edit(ModelChoice(), {"run": run, "edits": {"3": 0.999}}))
    drawn = [event for event, _ in runner.draw(ModelChoice(), {"run": run, "kind": "square", "position": 1})]
    race = RUNS.get(run)
    race.reference.prompt_tokens[0] = 10**6
    spoiled = [event for event, _ in runner.draw(ModelChoice(), {"run": run, "kind": "sweep", "position": 1})]
    return {"events": [*raced, *moved], "map": drawn[-1], "spoiled": spoiled[-1]}


def ask_for_a_benchmark() -> dict[str, object]:
    from app.acceptance.events import LiveBench
    from app.acceptance.results import Results
    from app.serving.models import ModelChoice

    bench = LiveBench(sys.modules["__main__"].shelf, Results())
    events = list(bench.run(ModelChoice(), "ticket", LIVE))
    kept = bench.results.get(events[-1]["result"]).result if "result" in events[-1] else None
    return {"bench": events, "result": kept.to_dict() if kept else None}


def main(root: str, model: str, adapter: str, answers: str) -> None:
    sys.path.insert(0, root)
    sys.meta_path.insert(0, _TorchForCuda())
    import app.serving.models as models

    load = models.load_model
    models.load_model = lambda *_, **options: load(model, adapter, **options)
    from spaces.zero import torch as there

    there.unpatch, there.init, there.move = (lambda: None), (lambda _: None), give_gpu
    threading.Thread(target=visit, args=(answers,), daemon=True).start()
    runpy.run_path(f"{root}/app.py", run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
