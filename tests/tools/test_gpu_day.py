"""The programme: its clock, its outbox, stops and going on, and the whole of it rehearsed."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from support import few_packages
from support.tiny_model import make_adapter as tiny_adapter
from support.tiny_model import save_whole

from ptp_core import load_adapter
from tools.gpu.clock import Clock, Stopped, stopping
from tools.gpu.day import CUT, DONE, FAILED, Day, Stage, main, take_parts
from tools.gpu.models import random_model, tiny_model
from tools.gpu.outbox import ADAPTERS, MOST_FILES, RESULTS, Outbox, open_outbox
from tools.gpu.settings import TINY
from tools.gpu.stages.train import make_small


class Hands:
    """A clock's hands that a test moves."""

    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def test_stages_share_what_is_left():
    hands = Hands()
    clock = Clock(125, reserve=25, now=hands)
    first = clock.share(1, 3)
    assert first.left == pytest.approx(25)
    hands.at += 10  # it took less than it had
    second = clock.share(1, 2)
    assert second.left == pytest.approx(30)
    assert second.part(0.5).left == pytest.approx(15)
    hands.at += 40  # and this one more
    assert second.over
    assert clock.share(1, 0).left == pytest.approx(50)
    hands.at += 500
    assert clock.left == 0
    assert clock.budget(10).over


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGALRM])
def test_a_signal_stops_once_and_leaves_the_handlers_as_they_were(kind):
    before = signal.getsignal(kind)
    with stopping(Clock(1000)):
        with pytest.raises(Stopped):
            os.kill(os.getpid(), kind)
            time.sleep(5)
        os.kill(os.getpid(), kind)  # while we save: no second time
    assert signal.getsignal(kind) == before


def test_the_deadline_itself_stops():
    with stopping(Clock(0.05, reserve=0)), pytest.raises(Stopped):
        time.sleep(5)


def make_day(tmp_path, timeout=1000.0):
    return Day(Clock(timeout, reserve=0), Outbox(tmp_path / "out"), tmp_path / "store", TINY, "cpu")


def test_what_was_stopped_goes_on_and_what_failed_is_told(tmp_path):
    ran = []

    def stage(name, body=lambda day: None):
        def run(day, budget):
            ran.append(name)
            day.found(name, seen=True)
            body(day)

        return Stage(name, 1, run)

    def broken(day):
        raise RuntimeError("no such kernel")

    def killed(day):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    stages = [stage("first"), stage("broken", broken), stage("killed", killed), stage("last")]
    assert not make_day(tmp_path).run(stages)
    assert ran == ["first", "broken", "killed"]
    told = json.loads((tmp_path / "out" / RESULTS).read_text())["stages"]
    assert [told[name]["state"] for name in ran] == [DONE, FAILED, CUT]
    assert told["broken"]["reason"] == "RuntimeError: no such kernel"
    assert told["killed"]["seen"]

    ran.clear()
    assert make_day(tmp_path).run([stage("first"), stage("broken"), stage("killed"), stage("last")])
    assert ran == ["broken", "killed", "last"]  # the first one is done
    told = json.loads((tmp_path / "out" / RESULTS).read_text())["stages"]
    assert {found["state"] for found in told.values()} == {DONE}


def test_the_outbox_is_written_every_minute(tmp_path):
    hands = Hands()
    box = Outbox(tmp_path, every=60, now=hands)
    assert not box.is_due
    hands.at += 61
    assert box.is_due
    box.save({}, [], {})
    assert not box.is_due


def make_adapter(folder, size, letter="x"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(letter.encode() * size)
    (folder / ".half.part").write_text("half")
    return folder


def test_an_adapter_comes_back_whole_in_few_files(tmp_path):
    box = Outbox(tmp_path / "out", part_bytes=10_000)
    box.save({"stages": {}}, [], {"a": make_adapter(tmp_path / "a", 41_000)})
    box.save(
        {"stages": {"x": {"state": DONE}}}, [], {"a": make_adapter(tmp_path / "a", 23_000, "y")}
    )  # fewer parts now
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert len(files) <= MOST_FILES
    assert max(file.stat().st_size for file in (tmp_path / "out").glob(f"{ADAPTERS}.*")) <= 10_000
    assert open_outbox(tmp_path / "out", tmp_path / "back")["stages"] == {"x": {"state": DONE}}
    assert [f.name for f in (tmp_path / "back/adapters/a").iterdir()] == ["adapter_model.safetensors"]
    assert (tmp_path / "back/adapters/a/adapter_model.safetensors").read_bytes() == b"y" * 23_000
    with pytest.raises(ValueError, match="can come back"):
        box.save({}, [], {"a": make_adapter(tmp_path / "a", 90_000)})
    Outbox(tmp_path / "out", part_bytes=10_000, most_files=13).save({}, [], {"a": make_adapter(tmp_path / "a", 90_000)})


def test_only_what_was_trained_comes_back_and_the_rest_is_the_start_s(tmp_path):
    """A training goes on from an adapter with shallow slots: those that are trained travel, the others do not."""
    start, run = tmp_path / "start", tmp_path / "run"
    save_whole(start, tiny_adapter())
    make_small(run, start, ("parallel",))
    sent = {file.name for file in (run / "small").iterdir()}
    assert "parallel.safetensors" in sent and not sent & {"adapter_model.safetensors", "shallow.safetensors"}
    Outbox(tmp_path / "out").save({}, [], {"a": run / "small"})
    open_outbox(tmp_path / "out", tmp_path / "alone")
    with pytest.raises(ValueError, match="missing"):
        load_adapter(tmp_path / "alone/adapters/a")
    open_outbox(tmp_path / "out", tmp_path / "back", start)
    found, given = load_adapter(tmp_path / "back/adapters/a"), load_adapter(start)
    assert found.config.parallel == given.config.parallel
    assert all(torch.equal(found.shallow[name], tensor) for name, tensor in given.shallow.items())


def test_adapters_that_do_not_fit_are_named_and_the_first_ones_go(tmp_path):
    box = Outbox(tmp_path / "out", part_bytes=10_000)
    adapters = {name: make_adapter(tmp_path / name, 18_000, name) for name in "abc"}
    box.save({}, [], adapters)
    told = open_outbox(tmp_path / "out", tmp_path / "back")
    assert told["adapters_left_out"] == ["c"]
    assert sorted(folder.name for folder in (tmp_path / "back/adapters").iterdir()) == ["a", "b"]


def test_an_adapter_is_whole_at_every_moment_of_its_replacement(tmp_path, monkeypatch):
    day, first = make_day(tmp_path), TINY.trainings[0].name
    run = day.run_folder(first)
    stored = iter("12")

    def store(adapter, out):
        out.mkdir(parents=True)
        (out / "ptp_config.json").write_text(next(stored))

    monkeypatch.setattr("tools.gpu.stages.train.store_adapter", store)
    make_small(run, run / "newest")
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.rename", stop_at_the_second(Path.rename))
        with pytest.raises(Stopped):
            make_small(run, run / "newest")
    assert (day._small_adapters()[first] / "ptp_config.json").read_text() == "1"
    assert not (run / "small").exists()


def stop_at_the_second(rename):
    calls = []

    def stopped(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise Stopped("between two renames")
        return rename(self, target)

    return stopped


def test_parts_of_two_saves_are_told_apart(tmp_path):
    box = Outbox(tmp_path / "out", part_bytes=10_000)
    box.save({}, [], {"a": make_adapter(tmp_path / "a", 30_000)})
    old = (tmp_path / "out" / f"{ADAPTERS}.2").read_bytes()
    box.save({}, [], {"a": make_adapter(tmp_path / "a", 30_000, "y")})
    (tmp_path / "out" / f"{ADAPTERS}.2").write_bytes(old)
    with pytest.raises(ValueError, match="another save"):
        open_outbox(tmp_path / "out", tmp_path / "back")


def test_records_that_do_not_fit_are_named(tmp_path):
    (tmp_path / "large.jsonl").write_bytes(os.urandom(20_000))
    (tmp_path / "small.jsonl").write_text("{}\n")
    box = Outbox(tmp_path / "out", part_bytes=10_000)
    box.save({}, [tmp_path / "large.jsonl", tmp_path / "small.jsonl"], {})
    told = open_outbox(tmp_path / "out", tmp_path / "back")
    assert told["records_left_out"] == [f"{tmp_path.name}/large.jsonl"]
    assert (tmp_path / "back/records" / tmp_path.name / "small.jsonl").exists()


def test_parts_of_earlier_calls_stay(tmp_path):
    for number in (1, 2):
        incoming = tmp_path / f"call-{number}"
        incoming.mkdir()
        (incoming / f"part-{number}.zip").write_text(str(number))
        take_parts(incoming, tmp_path / "store")
    take_parts(None, tmp_path / "store")
    assert sorted(file.name for file in (tmp_path / "store/parts").iterdir()) == ["part-1.zip", "part-2.zip"]


def test_the_checks_own_models_have_attention_as_loaded_ones_do(tmp_path):
    for make in (lambda day: tiny_model("cpu"), lambda day: random_model(day, torch.float32)):
        torch.backends.cuda.enable_cudnn_sdp(True)
        make(make_day(tmp_path))
        assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_the_whole_programme_in_small(tmp_path, monkeypatch):
    """With five packages alone, as a machine that is lent may have it: nothing else is carried there."""
    places = {"PTP_LAB_CACHE": str(tmp_path / "cache"), "PTP_LAB_ADAPTERS": str(tmp_path / "store/adapters")}
    where = ["--tiny", "--device", "cpu", "--out", str(tmp_path / "out"), "--store", str(tmp_path / "store")]
    everything = ["all", "--timeout", "900", *where]
    done = few_packages.run(f"from tools.gpu.day import main\nsys.exit(main({everything!r}))", tmp_path, **places)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    told = open_outbox(tmp_path / "out", tmp_path / "back", tmp_path / "store/adapters" / TINY.adapter)["stages"]
    assert {found["state"] for found in told.values()} == {DONE}
    assert told["exactness"]["as_on_the_cpu"] == told["exactness"]["cases"]
    assert told["writing exactness"]["wrong"] == {"inverse_cdf": [0, 0], "gumbel": [0, 0]}
    for dtype in ("float32", "bfloat16"):
        assert told["writing speed"][dtype]["tokens_per_s"] > 0
        rows = told["engine"][dtype]["rows"]
        assert rows["equal_alone"] == rows["equal_beside_slots"] == rows["equal_beside_foreign_drafts"] == 1
        assert told["engine"][dtype]["ms"]["one row alone"] > 0
        assert told["engine texts"][dtype]["texts"] == TINY.prompts
        assert sum(n for name, n in told["engine texts"][dtype]["parted"].items() if "without" not in name) == 0
        assert {"ar, same shape", "ar, own best shape", "hf_generate"} <= set(
            told["engine shapes"][dtype]["ms_per_token"]
        )
    for training in TINY.trainings:
        run = told[f"training {training.name}"]
        assert run["targets"] > 0
        adapter = load_adapter(tmp_path / "back/adapters" / training.name).config
        assert adapter.reads_u == ("blind" not in training.name)
        assert adapter.order == run["config"]["order"] == ("probability" if training.continues else "token_id")
        assert told["evaluation"]["tokens_per_call"][training.name] >= 1
        measured = adapter.parallel if training.name == "parallel" else adapter
        assert measured.draft_run == pytest.approx(told["calibrating"][training.name])
        assert (tmp_path / f"back/records/{training.name}/metrics.jsonl").is_file()
    for name in ("before", *(training.name for training in TINY.trainings)):
        assert told["counts"][name]["answers"] == told["counts"][name]["of"] > 0
    for method, figures in told["speed float32"]["methods"].items():
        assert figures["identical_to_ar"] in (None, [2, 2]), method
    seconds = {name: found["seconds"] for name, found in told.items()}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    assert main(everything) == 0  # all is done: nothing runs again
    again = json.loads((tmp_path / "out" / RESULTS).read_text())["stages"]
    assert {name: found["seconds"] for name, found in again.items()} == seconds
