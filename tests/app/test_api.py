"""The public endpoints, over HTTP and MCP."""

import threading

import pytest
from gradio_client import Client
from support.server import free_port

from app.api import endpoints
from app.main import build_demo, launch_options
from ptp_core import Trace


def test_pqd_by_itself_is_given_the_budget_that_was_asked_for(shelf, monkeypatch):
    seen = []
    monkeypatch.setattr("app.race.events.start_decoding", lambda *args: seen.append(args[-1]) or iter(()))
    _, generate = endpoints(shelf)
    for method in ("pqd", "ptp", "shallow"):
        generate("abc", method=method)
    assert [settings.draft_budget for settings in seen] == ["auto"] * 3


@pytest.fixture(scope="module")
def address(shelf):
    demo = build_demo(shelf)
    _, url, _ = demo.launch(**launch_options(), prevent_thread_lock=True, quiet=True, server_port=free_port())
    yield url
    demo.close()


def test_only_two_endpoints_are_public(address):
    names = Client(address, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert set(names) == {"/race", "/generate"}
    assert [p["parameter_name"] for p in names["/race"]["parameters"]] == [
        "prompt", "seed", "max_new_tokens", "temperature", "top_k", "top_p", "num_speculative_tokens",
        "draft_budget", "chat", "method", "coupling", "model",
    ]  # fmt: skip


def test_race_endpoint(address):
    result = Client(address, verbose=False).predict(prompt="abc", seed=5, max_new_tokens=10, api_name="/race")
    assert result["identical"] is True
    assert result["first_divergence"] is None
    ar, ptp = Trace.from_dict(result["ar"]), Trace.from_dict(result["ptp"])
    assert ar.tokens == ptp.tokens
    assert (ar.method, ptp.method) == ("ar", "shallow")


def test_a_race_of_clocks_by_the_api(address):
    asked = {"prompt": "abc", "seed": 5, "max_new_tokens": 10, "coupling": "gumbel", "api_name": "/race"}
    result = Client(address, verbose=False).predict(**asked)
    assert result["identical"] is True and result["ar"]["sampling"]["coupling"] == "gumbel"
    emitted = Trace.from_dict(result["ar"]).emitted
    assert all(c.clock is not None for token in emitted for c in token.candidates)


def test_generate_endpoint_and_its_errors(address):
    client = Client(address, verbose=False)
    texts = {
        Trace.from_dict(client.predict(prompt="abc", method=m, seed=5, max_new_tokens=10, api_name="/generate")).text
        for m in ("ar", "ptp", "pqd", "shallow", "shallow_lookup", "independent", "prompt_lookup")
    }
    assert len(texts) == 1
    for arguments, reason in (
        ({"method": "magic"}, "Unknown method"),
        ({"coupling": "luck"}, "coupling is one of"),
        ({"temperature": -1.0}, "temperature"),
    ):
        with pytest.raises(Exception, match=reason):
            client.predict(prompt="abc", api_name="/generate", **arguments)


def test_two_clients_at_once_get_their_own_answers(address):
    alone = Client(address, verbose=False).predict(prompt="abc", seed=1, max_new_tokens=20, api_name="/generate")
    answers = {}

    def ask(seed):
        client = Client(address, verbose=False)
        answers[seed] = client.predict(prompt="abc", seed=seed, max_new_tokens=20, api_name="/generate")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {seed: answer["noise"]["seed"] for seed, answer in answers.items()} == {1: 1, 2: 2, 3: 3}
    assert Trace.from_dict(answers[1]).tokens == Trace.from_dict(alone).tokens


def test_mcp_offers_the_same_two_tools(address):
    import httpx

    schema = httpx.get(f"{address}gradio_api/mcp/schema").json()
    names = {tool["name"].rsplit("_", 1)[-1] for tool in schema}
    assert names == {"race", "generate"}
