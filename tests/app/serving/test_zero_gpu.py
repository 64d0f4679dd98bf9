"""app.py under the patches of the real `spaces` package: what would stop a ZeroGPU Space stops this."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import zero_gpu
from support.server import free_port
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole

from app.acceptance.events import answer_seconds
from app.serving import gpu, models
from app.serving.gpu import gpu_seconds
from ptp_core import NoiseTape, SamplingConfig, generate, load_model
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.result import BenchResult

pytest.importorskip("spaces")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def visited(tmp_path_factory):
    """(what visitors got, the platform that was asked, the folders of model and adapter)."""
    home = tmp_path_factory.mktemp("space")
    model, adapter = home / "model", home / "adapter"
    make_target(context=512).save_pretrained(model)
    make_tokenizer().save_pretrained(model)
    save_whole(adapter, make_adapter())
    platform = zero_gpu.Platform()
    environment = os.environ | {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": platform.address,
        "ZEROGPU_OFFLOAD_DIR": str(home / "tensors"),
        "GRADIO_SERVER_PORT": str(free_port()),
        "GRADIO_ANALYTICS_ENABLED": "0",
        "PTP_LAB_CACHE": str(home / "cache"),
        "PTP_LAB_OWN_MODELS": "1",
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    script = [sys.executable, zero_gpu.__file__, ROOT, model, adapter, home / "answers.json"]
    done = subprocess.run(
        [*map(str, script)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    platform.shutdown()
    answers = home / "answers.json"
    assert answers.exists(), done.stdout[-4000:] + done.stderr[-4000:]
    found = json.loads(answers.read_text())
    assert "error" not in found, found["error"] + done.stdout[-4000:] + done.stderr[-4000:]
    return found, platform, (model, adapter)


@pytest.mark.slow
def test_the_packages_are_imported_in_the_order_that_zero_gpu_needs(visited):
    assert visited[0]["spaces before torch"] is True


@pytest.mark.slow
def test_a_race_over_http_is_that_of_the_cpu(visited):
    found, _, (model, adapter) = visited
    race = found["race"]
    assert race["identical"] is True
    here = load_model(model, adapter, device="cpu", quick=False)
    ids = here.encode(zero_gpu.PROMPT, chat=True)
    plain = generate(here, ids, "ar", NoiseTape(zero_gpu.SEED), SamplingConfig(), max_new_tokens=zero_gpu.TOKENS)
    written = [token for step in race["ar"]["steps"] for token in step["emitted"]]
    assert [token["token"] if isinstance(token, dict) else token for token in written] == plain.tokens


@pytest.mark.slow
def test_no_free_gpu_is_told_in_a_sentence(visited):
    assert visited[0]["refused"].strip("'\"") == "No GPU was available"


@pytest.mark.slow
def test_a_map_and_a_text_on_moved_noise(visited):
    found = visited[0]
    assert [e["event"] for e in found["events"] if e["event"] in ("done", "error")] == ["done", "done"]
    assert found["map"]["event"] == "map", found["map"]
    assert found["map"]["map"]


@pytest.mark.slow
def test_a_refusal_where_the_gpu_is_reaches_the_visitor(visited):
    spoiled = visited[0]["spoiled"]
    assert spoiled["event"] == "error"
    assert "token" in spoiled["message"], "not the name of an exception"


@pytest.mark.slow
def test_a_live_benchmark_is_whole_and_exact(visited):
    found = visited[0]
    assert found["bench"][-1]["event"] == "done", found["bench"][-1]
    result = BenchResult.from_dict(found["result"])
    assert result.complete
    assert len(result.rows) == 4
    assert all(row.identical_to_ar for row in result.rows)
    assert result.environment["cost_curve"]["milliseconds"]
    assert all(row.peak_memory_mb == 1 for row in result.rows), "read where the GPU is"


@pytest.mark.slow
def test_every_answer_is_a_short_request_of_its_own(visited):
    platform = visited[1]
    live = BenchConfig(("ar", "pqd"), max_new_tokens=zero_gpu.LIVE["tokens"])
    assert platform.asked[-4:] == [answer_seconds(None, live)] * 4
    race = gpu_seconds(2 * zero_gpu.TOKENS)
    assert platform.asked[0] == race
    assert platform.asked[1] == zero_gpu.REFUSED_SECONDS
    assert max(platform.asked) <= 20
    assert platform.calls[0] == "/startup-report", "the weights were packed before the first visitor"
    assert platform.calls.count("/allow") < platform.calls.count("/schedule"), "processes are used again"


def test_no_model_of_a_visitor_is_loaded_there(monkeypatch):
    monkeypatch.setenv("PTP_LAB_OWN_MODELS", "1")
    assert models.models_allowed()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert gpu.on_zero()
    assert not models.models_allowed()


def test_the_default_model_must_load_before_the_server_starts(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")

    def load(*_, **options):
        raise OSError("The disk is full.")

    with pytest.raises(OSError, match="The disk is full"):
        models.ModelShelf(load).preload()
