"""A limit for each client: a flood is answered with a sentence, and the others are served."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client
from starlette.exceptions import HTTPException
from support.pages import slow
from support.server import free_port
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.main import build_demo, launch_options
from app.serving.limits import MOST_BYTES, ClientLimits, Limits
from app.serving.models import ModelShelf
from ptp_core.model.ptp_model import PTPModel

HERS, HIS = "203.0.113.5", "198.51.100.7"  # documentation's addresses are not public, so these pass as told


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_budget_is_spent_and_comes_back():
    clock = Clock()
    limits = Limits(calls=2, clock=clock)
    assert [limits.spend(HERS, 20) for _ in range(3)] == [None] * 3
    assert limits.spend(HERS, 1) == "Your address has sent more than this lab takes at once. Try again in 1 s."
    assert limits.spend(HIS, 20) is None, "another client has a budget of its own"
    limits.spend(HIS, 1000)
    assert "in 481 s" in limits.spend(HIS, 1)
    clock.now = 0.5
    assert limits.spend(HERS, 1) is None
    clock.now = 1e6
    assert [limits.spend(HERS, 30) is None for _ in range(3)] == [True, True, False], "30 seconds are saved, no more"


def test_runs_on_their_way_into_the_queue_count():
    limits = Limits(runs=3)
    assert limits.join(HERS, 1) is None and limits.join(HERS, 1) is None
    assert "3 runs at once" in limits.join(HERS, 1)
    assert limits.join(HIS, 0) is None
    limits.joined(HERS)
    assert limits.join(HERS, 1) is None


def test_zero_is_no_limit(monkeypatch):
    monkeypatch.setenv("PTP_LAB_CLIENT_RUNS", "0")
    monkeypatch.setenv("PTP_LAB_CLIENT_CALLS", "0")
    limits = Limits()
    assert limits.join(HERS, 10**6) is None and limits.spend(HERS, 1e9) is None
    monkeypatch.setenv("PTP_LAB_CLIENT_RUNS", "many")
    with pytest.raises(SystemExit, match="whole number"):
        Limits()


def answer_of(limits, path, body=b"", told=True, client=HERS):
    """(status, answer) of a POST to an app that reads the body and echoes its length."""
    sent, parts = [], [body[i : i + 65536] for i in range(0, len(body), 65536)] or [b""]
    coming = [{"type": "http.request", "body": part, "more_body": i + 1 < len(parts)} for i, part in enumerate(parts)]

    async def app(scope, receive, send):
        total, more = 0, True
        while more:
            message = await receive()
            total, more = total + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"bytes": total}).encode()})

    async def receive():
        return coming.pop(0)

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", str(len(body)).encode())] if told else []
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": (client, 1)}
    # in a thread: a browser test in the same process may have left a loop running in this one
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, ClientLimits(app, limits)(scope, receive, send)).result()
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_large_files_use_up_the_budget_and_a_page_hears_why():
    clock = Clock()
    limits = Limits(calls=40, clock=clock)
    path, file = "/gradio_api/component_server/", b"x" * (24 << 20)
    assert answer_of(limits, path, file) == (200, {"bytes": len(file)})
    while (found := answer_of(limits, path, file))[1] == {"bytes": len(file)}:
        clock.now += 0.1
    status, told = found
    assert status == 200 and "Try again in" in told["error"], "Gradio's client keeps other answers to itself"
    status, told = answer_of(limits, "/gradio_api/run/predict", b"{}")
    assert status == 429 and "Try again in" in told["detail"]
    assert answer_of(limits, path, file, client=HIS)[1] == {"bytes": len(file)}
    assert answer_of(limits, path, file, client="127.0.0.1")[1] == {"bytes": len(file)}, "nothing limits this machine"


def test_a_body_that_is_too_large_or_hides_its_length_is_stopped():
    huge = b"x" * (MOST_BYTES + 1)
    assert answer_of(Limits(calls=0), "/gradio_api/queue/x", huge)[0] == 413
    for limits, status in ((Limits(calls=0), 413), (Limits(calls=1), 429)):
        with pytest.raises(HTTPException) as stop:  # Gradio's app answers with it
            answer_of(limits, "/gradio_api/queue/x", huge, told=False)
        assert stop.value.status_code == status


def test_nobody_leaves_files_on_the_server():
    status, told = answer_of(Limits(), "/gradio_api/upload", b"x", client="127.0.0.1")
    assert status == 403 and "keeps no files" in told["detail"]


# ---- on the real app ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address():
    """A server of the lab that takes three runs of a client at once; each run takes about a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTP_LAB_CLIENT_RUNS", "3")
        slow(patch, 0.02)
        model = PTPModel(make_target(context=512), make_tokenizer(), make_adapter(), name="tiny").eval()
        demo = build_demo(ModelShelf(lambda *_, **__: model))
        _, url, _ = demo.launch(**launch_options(), prevent_thread_lock=True, quiet=True, server_port=free_port())
        yield url
        demo.close()


def post(address, path, data, client):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    request = urllib.request.Request(
        f"{address}gradio_api/{path}", body,
        {"Content-Type": "application/json", "X-Forwarded-For": client},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_flood_of_runs_is_refused_and_another_client_is_served(address):
    found: list[tuple[int, dict]] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                post(address, "call/v2/generate", {"prompt": "abc", "max_new_tokens": 48}, HERS)
            )
        )
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [told["detail"] for status, told in found if status == 429]
    assert len(refused) >= 8 and all("3 runs at once from one address" in says for says in refused), found
    began = time.monotonic()
    theirs = Client(address, verbose=False, headers={"X-Forwarded-For": HIS})
    assert theirs.predict("abc", max_new_tokens=4, api_name="/generate")["steps"]
    assert time.monotonic() - began < 60
    status, told = post(address, "run/generate", {"data": ["abc"]}, HIS)
    assert status == 404 and "join the queue" in told["detail"], "no call passes by the queue"
    while post(address, "call/v2/generate", {"prompt": "abc", "max_new_tokens": 48}, HERS)[0] != 200:
        time.sleep(0.2)
        assert time.monotonic() - began < 60, "the places come back"


def test_who_still_sends_a_large_file_hears_why_it_is_refused(address):
    file = b"x" * (8 << 20)
    for _ in range(100):
        status, told = post(address, "run/predict", file, "203.0.113.6")
        if status == 429:
            break
    assert status == 429 and "Try again in" in told["detail"]


def test_another_client_need_not_wait_for_all_runs_of_a_flood(address):
    hers, his = "203.0.113.8", "198.51.100.8"  # who asked for nothing yet
    asked = {"prompt": "abc", "max_new_tokens": 48, "method": "ar"}
    done = []

    def wait(client, event):
        url = f"{address}gradio_api/call/generate/{event}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"X-Forwarded-For": client})) as stream:
            stream.read()
        done.append(client)

    threads = []
    for client in (hers, hers, hers, his):
        status, told = post(address, "call/v2/generate", asked, client)
        assert status == 200
        threads.append(threading.Thread(target=wait, args=(client, told["event_id"])))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
    assert done[-1] == hers, "a run of hers that came before his waits behind it"
