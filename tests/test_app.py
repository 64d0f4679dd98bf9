"""The app without a browser: settings, links, files, endpoints."""

import json
import threading
from dataclasses import replace

import pytest
from gradio_client import Client
from tiny import free_port, make_adapter, make_target, make_tokenizer, put_on_every_shelf

from app import api, handlers, runtime, theme
from app.handlers import RaceSettings, run_race
from app.links import recorded_for, settings_of_query
from app.main import build_demo, launch_options
from app.noise_handlers import MapStore
from app.runs import Race, RunStore, recorded_names, recorded_race
from app.runtime import ModelChoice, ModelShelf
from app.views.race import as_value, chunk_view, steps_view, summary_view
from ptp_core import Trace
from ptp_core.model import PTPModel


def tiny_load(name=None, adapter=None, *, dtype="auto", progress=None):
    if name == "missing":
        raise FileNotFoundError("There is no model 'missing'.")
    return PTPModel(make_target(context=512), make_tokenizer(), make_adapter(), name="tiny").eval()


@pytest.fixture
def shelf(monkeypatch):
    shelf = ModelShelf(tiny_load)
    put_on_every_shelf(shelf, monkeypatch.setattr)
    return shelf


# ---- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"prompt": ""}, "Type a prompt"),
        ({"prompt": None}, "Type a prompt"),
        ({"prompt": "x" * 300_000}, "300,000 characters"),
        ({"prompt": "a", "temperature": float("nan")}, "temperature"),
        ({"prompt": "a", "temperature": -1}, "temperature"),
        ({"prompt": "a", "temperature": "hot"}, "temperature"),
        ({"prompt": "a", "top_k": 2.5}, "top-k"),
        ({"prompt": "a", "top_p": 0}, "top-p"),
        ({"prompt": "a", "seed": None}, "seed"),
        ({"prompt": "a", "seed": -1}, "seed"),
        ({"prompt": "a", "max_new_tokens": 100_000}, "tokens"),
        ({"prompt": "a", "draft_budget": "lots"}, "draft budget"),
        ({"prompt": "a", "draft_budget": 1000}, "draft budget"),
        ({"prompt": "a", "num_speculative_tokens": 99}, "drafts"),
        ({"prompt": "a", "method": "magic"}, "drafts by one of"),
    ],
)
def test_bad_settings_get_a_sentence(raw, reason):
    with pytest.raises(ValueError, match=reason) as error:
        RaceSettings.parse(**raw)
    assert str(error.value).endswith(".")


def test_links_carry_the_settings():
    settings = RaceSettings.parse(prompt="a & b?", chat=False, seed=9, temperature=0, draft_budget="8")
    from urllib.parse import parse_qsl

    assert settings_of_query(dict(parse_qsl(settings.query()))) == settings
    assert RaceSettings("hello").query() == "prompt=hello"
    for method, budget in (("shallow", "auto"), ("shallow", 8), ("pqd", "auto"), ("pqd", 8)):
        settings = RaceSettings.parse(prompt="a", method=method, draft_budget=budget)
        assert settings_of_query(dict(parse_qsl(settings.query()))) == settings
    assert RaceSettings.parse(prompt="a", method="shallow").query() == "prompt=a"
    assert RaceSettings.parse(prompt="a", method="pqd").query() == "prompt=a&method=pqd"


def test_links_beyond_the_pages_sliders_get_a_sentence():
    for name, value in (("temperature", "4"), ("top_k", "5000"), ("top_p", "0.02"), ("num_speculative_tokens", "16")):
        with pytest.raises(ValueError, match=f"In this link, {name} must lie between"):
            settings_of_query({"prompt": "a", name: value})
        assert RaceSettings.parse(prompt="a", **{name: value})


def test_a_lane_that_was_stopped_is_neither_different_nor_timed():
    whole = recorded_race("sky")
    ar, ptp = whole.lanes["ar"], whole.lanes["ptp"]
    assert whole.is_even and summary_view(whole)["speedup"] is not None
    stopped = Race({"ar": ar, "ptp": replace(ptp, steps=ptp.steps[:4])})
    assert not stopped.is_even
    assert stopped.first_divergence is None
    assert summary_view(stopped)["speedup"] is None
    token = ptp.steps[0].emitted[0]
    wrong = replace(ptp.steps[0], emitted=[replace(token, token=token.token + 1)])
    other = Race({"ar": ar, "ptp": replace(ptp, steps=[wrong, *ptp.steps[1:3]])})
    assert (other.first_divergence, other.is_even) == (0, True)


def test_maps_are_kept_by_model(shelf):
    store = MapStore(2)
    store.add((ModelChoice(), "run", "square", 3), "one")
    assert store.get((ModelChoice(dtype="bfloat16"), "run", "square", 3)) is None
    assert store.get((ModelChoice(), "run", "square", 3)) == "one"


def test_pqd_by_itself_is_given_the_budget_that_was_asked_for(shelf, monkeypatch):
    seen = []
    monkeypatch.setattr("app.handlers.start_decoding", lambda *args, **options: seen.append(options) or iter(()))
    for method in ("pqd", "ptp", "shallow"):
        api.generate("abc", method=method)
    assert [options["draft_budget"] for options in seen] == ["auto"] * 3


def test_a_link_to_a_recorded_race_is_recognised():
    for name in recorded_names():
        prompt = recorded_race(name).lanes["ptp"].prompt
        assert recorded_for(RaceSettings(prompt)) == name
        assert recorded_for(RaceSettings(prompt, seed=8)) is None


# ---- runs -------------------------------------------------------------------------------------------------


def test_events_of_a_run(shelf):
    events = list(run_race(ModelChoice(), prompt="abc", seed=3, max_new_tokens=12))
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert set(kinds[1:-1]) <= {"loading", "steps"}
    race = runtime.RUNS.get(events[-1]["run"])
    assert race.first_divergence is None
    for lane in ("ar", "ptp"):
        told = [step for e in events if e["event"] == "steps" and e["lane"] == lane for step in e["chunk"]["steps"]]
        assert told == steps_view(race.steps(lane))
    assert all(len(as_value(event)) < 100_000 for event in events)


def test_errors_of_a_run_are_events(shelf):
    assert list(run_race(ModelChoice(), prompt=" "))[-1] == {"event": "error", "message": "Type a prompt first."}
    long = list(run_race(ModelChoice(), prompt="abc " * 5_000))[-1]
    assert "tokens; with" in long["message"]
    missing = list(run_race(ModelChoice("missing"), prompt="abc"))[-1]
    assert "no model 'missing'" in missing["message"]
    assert not shelf.is_loaded(ModelChoice("missing"))


def test_chunks_cover_a_race_whatever_their_size():
    race = recorded_race("sky")
    for lane in ("ar", "ptp"):
        steps = []
        while len(steps) < len(race.steps(lane)):
            chunk = chunk_view(race.steps(lane), len(steps))
            assert chunk["steps"]
            assert len(json.dumps(chunk)) < 100_000
            steps += chunk["steps"]
        assert steps == steps_view(race.steps(lane))


def test_a_store_forgets_the_oldest_and_never_mixes_runs():
    store = RunStore(capacity=2)
    races = [Race() for _ in range(3)]
    runs = [store.add(race) for race in races]
    assert store.get(runs[2]) is races[2]
    with pytest.raises(KeyError):
        store.get(runs[0])
    with pytest.raises(KeyError):
        store.get("recorded:../../secret")


def test_what_the_browser_asks_for_directly_never_raises():
    for request in ({}, {"run": "gone", "lane": "ar", "start": 0}, {"run": "recorded:sky", "lane": "x", "start": "y"}):
        assert "error" in handlers.fetch_steps(request)
    assert "error" in handlers.export_run({"run": "gone"})
    assert "error" in handlers.open_file({"text": "{}"})
    assert "error" in handlers.open_file({})


def test_files_of_a_race():
    race = recorded_race("sky")
    again = Race.from_text(json.dumps(race.to_dict()))
    assert again.lanes == race.lanes
    single = Race.from_text(json.dumps(race.lanes["ptp"].to_dict()))
    assert set(single.lanes) == {"ptp"}
    mixed = {**race.to_dict(), "ar": recorded_race("code").to_dict()["ar"]}
    with pytest.raises(ValueError, match="not one race"):
        Race.from_text(json.dumps(mixed))


def test_models_are_loaded_once_and_the_default_stays(shelf):
    first = shelf.get(ModelChoice())
    assert shelf.get(ModelChoice()) is first
    for name in ("a", "b", "c"):
        shelf.get(ModelChoice(name))
    assert shelf.get(ModelChoice()) is first
    assert not shelf.is_loaded(ModelChoice("a"))
    assert shelf.is_loaded(ModelChoice("c"))


def test_own_models_are_off_on_a_public_space(monkeypatch):
    assert runtime.models_allowed()
    monkeypatch.setenv("SPACE_ID", "someone/space")
    assert not runtime.models_allowed()
    monkeypatch.setenv("PTP_LAB_OWN_MODELS", "1")
    assert runtime.models_allowed()


# ---- look -------------------------------------------------------------------------------------------------


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_has_contrast_on_every_ground_it_stands_on(colours):
    grounds = {"ink": ("paper", "panel", "accepted-bg", "recovered-bg", "bonus-bg", "rejected-bg", "block")}
    grounds |= {"soft": ("paper", "panel"), "draft": ("paper", "panel"), "rejected": ("rejected-bg", "panel")}
    grounds |= {
        "accepted": ("accepted-bg",),
        "recovered": ("recovered-bg",),
        "bonus": ("bonus-bg",),
        "on-accent": ("accent",),
    }
    poor = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, names in grounds.items()
        for ground in names
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert poor == {}


def test_both_tables_of_statuses_agree():
    script = (theme.STATIC / "lab.js").read_text()
    for status, (glyph, _, _) in theme.STATUS.items():
        assert f'{status}: {{ glyph: "{glyph}"' in script


# ---- endpoints ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address():
    shelf = ModelShelf(tiny_load)
    with pytest.MonkeyPatch.context() as patch:
        put_on_every_shelf(shelf, patch.setattr)
        demo = build_demo()
        _, url, _ = demo.launch(**launch_options(), prevent_thread_lock=True, quiet=True, server_port=free_port())
        yield url
        demo.close()


def test_only_two_endpoints_are_public(address):
    names = Client(address, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert set(names) == {"/race", "/generate"}
    assert [p["parameter_name"] for p in names["/race"]["parameters"]] == [
        "prompt", "seed", "max_new_tokens", "temperature", "top_k", "top_p", "num_speculative_tokens",
        "draft_budget", "chat", "method",
    ]  # fmt: skip


def test_race_endpoint(address):
    result = Client(address, verbose=False).predict(prompt="abc", seed=5, max_new_tokens=10, api_name="/race")
    assert result["identical"] is True
    assert result["first_divergence"] is None
    ar, ptp = Trace.from_dict(result["ar"]), Trace.from_dict(result["ptp"])
    assert ar.tokens == ptp.tokens
    assert (ar.method, ptp.method) == ("ar", "shallow")


def test_generate_endpoint_and_its_errors(address):
    client = Client(address, verbose=False)
    texts = {
        Trace.from_dict(client.predict(prompt="abc", method=m, seed=5, max_new_tokens=10, api_name="/generate")).text
        for m in ("ar", "ptp", "pqd", "shallow", "shallow_lookup", "independent", "prompt_lookup")
    }
    assert len(texts) == 1
    for arguments, reason in (({"method": "magic"}, "Unknown method"), ({"temperature": -1.0}, "temperature")):
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


# ---- ZeroGPU ----------------------------------------------------------------------------------------------


def test_a_process_of_its_own_can_decode(shelf, monkeypatch):
    """What a ZeroGPU Space does: arguments and results are copied between processes, nothing is shared."""
    import pickle

    inner = handlers.decode

    def copied(*arguments):
        for part in inner(*pickle.loads(pickle.dumps(arguments))):
            yield pickle.loads(pickle.dumps(part))

    monkeypatch.setattr(handlers, "decode", copied)
    events = list(run_race(ModelChoice(), prompt="abc", max_new_tokens=12))
    assert events[-1]["event"] == "done"
    assert events[-1]["summary"]["lanes"]["ptp"]["tokens"] == 12
    assert handlers.gpu_seconds(ModelChoice(), RaceSettings("a", max_new_tokens=64), ("ar", "pqd")) < 60


@pytest.mark.parametrize("method", ["shallow", "shallow_lookup", "ptp", "prompt_lookup"])
def test_the_parallel_lane_drafts_as_it_is_told(shelf, method):
    events = list(run_race(ModelChoice(), prompt="abcabcabc", method=method, draft_budget=3, max_new_tokens=24))
    assert events[-1]["event"] == "done", events[-1]
    assert events[-1]["meta"]["methods"] == {"ar": "ar", "ptp": method}
    assert events[-1]["summary"]["divergence"] is None
    assert events[-1]["summary"]["drafted"]
    assert (f"method={method}" in events[0]["query"]) == (method != "shallow")


def test_an_adapter_without_shallow_slots_drafts_in_branches(monkeypatch):
    def load(name=None, adapter=None, *, dtype="auto", progress=None):
        return PTPModel(make_target(context=512), make_tokenizer(), make_adapter(shallow=None), name="plain").eval()

    put_on_every_shelf(ModelShelf(load), monkeypatch.setattr)
    events = list(run_race(ModelChoice(), prompt="abc", method="shallow", max_new_tokens=12))
    assert events[-1]["event"] == "done", events[-1]
    assert events[-1]["meta"]["methods"] == {"ar": "ar", "ptp": "pqd"}
    assert events[-1]["summary"]["drafted"]  # "auto" is for shallow slots, branches get slots of their own


def test_a_model_without_an_adapter_races_by_prompt_lookup(monkeypatch):
    def load(name=None, adapter=None, *, dtype="auto", progress=None):
        return PTPModel(make_target(context=512), make_tokenizer(), name="plain").eval()

    put_on_every_shelf(ModelShelf(load), monkeypatch.setattr)
    events = list(run_race(ModelChoice("plain"), prompt="abcabcabcabc", max_new_tokens=24))
    assert events[-1]["event"] == "done", events[-1]
    assert events[-1]["meta"]["methods"] == {"ar": "ar", "ptp": "prompt_lookup"}
    assert events[-1]["summary"]["divergence"] is None
    assert events[0]["query"] is None, "a link would run another model"


# ---- text that no encoding can send -----------------------------------------------------------------------


def test_halves_of_characters_are_replaced_in_prompts_and_files():
    assert RaceSettings.parse(prompt="a\ud83d b").prompt == "a\ufffd b"
    assert RaceSettings.parse(prompt="\U0001f600").prompt == "\U0001f600"
    data = recorded_race("sky").to_dict()
    data["ar"]["steps"][0]["emitted"][0]["text"] = "x\ud83d"
    data["ptp"]["prompt"] = data["ar"]["prompt"] = "\U0001f600"
    race = Race.from_text(json.dumps(data))  # written as escapes
    assert race.lanes["ar"].emitted[0].text == "x\ufffd"
    assert race.lanes["ar"].prompt == "\U0001f600"
    assert race.origin == "uploaded"
    json.dumps(steps_view(race.steps("ar")), ensure_ascii=False).encode()
