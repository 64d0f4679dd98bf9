"""Turns in the queue: clients take them, and a run that was stopped has none."""

import json
import time
import urllib.request
from collections import Counter

import pytest
from support.pages import slow
from support.server import free_port
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.main import build_demo, launch_options
from app.serving.line import CONCURRENCY_ID
from app.serving.models import ModelShelf
from app.serving.waiting import Waiting, turns
from ptp_core.model.ptp_model import PTPModel


def in_turns(waiting: str, running: str = "") -> str:
    """The numbered runs of clients a, b, ... in the order of their turns: "a1 b1 a2"."""
    numbered, seen = [], Counter()
    for client in waiting:
        seen[client] += 1
        numbered.append(f"{client}{seen[client]}")
    return " ".join(turns(numbered, lambda one: one[0], Counter(running)))


def test_clients_take_turns():
    assert in_turns("abc") == "a1 b1 c1"
    assert in_turns("aaaab") == "a1 b1 a2 a3 a4"
    assert in_turns("aaaab", running="a") == "b1 a1 a2 a3 a4", "a run that goes on is a turn"
    assert in_turns("aaabbc", running="c") == "a1 b1 a2 b2 c1 a3"
    assert in_turns("") == ""


@pytest.fixture
def lab(monkeypatch):
    """(a server of the lab whose calls are slow, its address)."""
    slow(monkeypatch, 0.1)
    model = PTPModel(make_target(context=512), make_tokenizer(), make_adapter(), name="tiny").eval()
    demo = build_demo(ModelShelf(lambda *_, **__: model))
    _, url, _ = demo.launch(**launch_options(), prevent_thread_lock=True, quiet=True, server_port=free_port())
    yield demo, url
    demo.close()


def post(url, path, data):
    request = urllib.request.Request(
        f"{url}gradio_api/{path}", json.dumps(data).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_a_run_that_is_stopped_while_it_waits_leaves_the_queue(lab):
    demo, url = lab
    with urllib.request.urlopen(f"{url}config", timeout=60) as answer:
        config = json.loads(answer.read())
    parts = {part["id"]: part["props"] for part in config["components"]}
    ids = {props.get("elem_id"): at for at, props in parts.items()}
    run = next(d for d in config["dependencies"] if [ids["ptp-run"], "click"] in d["targets"] and d["backend_fn"])

    def join(ticket):
        values = [ticket, *(parts[at].get("value") for at in run["inputs"][1:])]
        asked = {"data": values, "fn_index": run["id"], "session_hash": f"of-{ticket}"}
        return post(url, "queue/join", asked)["event_id"]

    def stop(ticket):
        asked = {"data": {"ticket": ticket}, "component_id": ids["ptp-race"], "session_hash": f"of-{ticket}"}
        return post(url, "component_server/", {**asked, "fn_name": "stop_run"})

    waiting = Waiting(demo)
    events = [join(ticket) for ticket in ("one", "two", "three")]
    while waiting.ahead("one", CONCURRENCY_ID) is not None:
        time.sleep(0.01)
    assert (waiting.ahead("two", CONCURRENCY_ID), waiting.ahead("three", CONCURRENCY_ID)) == (0, 1)
    assert stop("two") == {}
    assert (waiting.ahead("two", CONCURRENCY_ID), waiting.ahead("three", CONCURRENCY_ID)) == (None, 0)
    with urllib.request.urlopen(f"{url}gradio_api/queue/data?session_hash=of-two", timeout=60) as stream:
        told = [json.loads(line[5:]) for line in stream.read().decode().splitlines() if line.startswith("data:")]
    over = next(message for message in told if message["msg"] == "process_completed")
    assert over["success"] and over["event_id"] == events[1], "its page hears that it is over"
    assert told[-1]["msg"] == "close_stream"
    for ticket in ("three", "one"):
        stop(ticket)
