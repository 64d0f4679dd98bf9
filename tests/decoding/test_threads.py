"""The watch over threads, on made-up machines: it costs little on a quiet one and follows a busy one."""

from __future__ import annotations

import random

import pytest

from ptp_core import NoiseTape, generate
from ptp_core.__main__ import COMMANDS, main
from ptp_core.decoding import measure_costs, thread_choice, threads
from ptp_core.decoding.thread_choice import settle_threads
from ptp_core.decoding.threads import Watch


def run(watch: Watch, calls: int, two: float, one: float, seed: int = 0) -> float:
    """Milliseconds of so many calls on a machine with these times per call, with 10 % of noise."""
    draw, total = random.Random(seed), 0.0
    for _ in range(calls):
        ms = (two if watch.threads == 2 else one) * draw.uniform(0.9, 1.1)
        watch.observe(1, ms)
        total += ms
    return total


@pytest.mark.parametrize("seed", range(5))
def test_on_a_quiet_machine_it_costs_three_percent_at_most(seed):
    watch = Watch(2)
    total = run(watch, 1024, 40, 58, seed)
    assert watch.threads == 2
    assert total < 1.03 * 1024 * 40


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("two", [82, 200, 450])
def test_beside_a_busy_process_it_takes_one_thread_and_comes_back(two, seed):
    watch = Watch(2)
    run(watch, 100, 40, 58, seed)
    total = run(watch, 256, two, 63, seed)
    assert watch.threads == 1
    assert total < 2 * 256 * 40
    run(watch, 200, 40, 58, seed)
    assert watch.threads == 2


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_that_is_busy_from_the_start_is_found_out_within_an_answer(seed):
    watch = Watch(2)
    total = run(watch, 64, 200, 63, seed)
    assert watch.threads == 1
    assert total < 2 * 64 * 40, "of one answer, in times of the quiet machine"


def test_reading_a_prompt_says_nothing():
    watch = Watch(2)
    for _ in range(50):
        watch.observe(400, 5000)
    assert watch.threads == 2 and watch._trial is None


def test_without_a_second_thread_nothing_is_tried():
    watch = Watch(1)
    run(watch, 50, 40, 40)
    assert watch.threads == 1


class Torch:
    """Stands in for torch's setting, and notes each change."""

    def __init__(self) -> None:
        self.number, self.taken = 2, []

    def get_num_threads(self) -> int:
        return self.number

    def set_num_threads(self, number: int) -> None:
        self.number = number
        self.taken.append(number)


@pytest.fixture
def fake(monkeypatch):
    """torch's threads without torch, and no watch."""
    found = Torch()
    for place in (threads, thread_choice):
        monkeypatch.setattr(place.torch, "set_num_threads", found.set_num_threads)
        monkeypatch.setattr(place.torch, "get_num_threads", found.get_num_threads)
    monkeypatch.setattr(threads, "_watch", None)
    monkeypatch.delenv("PTP_LAB_THREADS", raising=False)
    return found


def test_decoding_follows_the_watch_and_measurements_do_not(make_model, monkeypatch, fake):
    model = make_model(adapter=False)
    generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=4)
    assert fake.taken == [], "off unless asked for"
    watch = threads.start_watch(2)
    monkeypatch.setattr(watch, "observe", lambda *_: setattr(watch, "threads", 1))
    generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=4)
    assert fake.taken == [1]
    with threads.fixed_threads():
        generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=4)
    assert fake.taken == [1, 2]
    with threads.fixed_threads(1), threads.fixed_threads():
        assert threads.call_threads() == threads.measured_threads() == 1, "what is fixed outside holds inside"


@pytest.mark.parametrize(("two", "one", "best"), [(40, 58, 2), (82, 63, 1), (40, 40, 2)])
def test_a_run_takes_the_number_that_was_quicker(make_model, monkeypatch, fake, caplog, two, one, best):
    monkeypatch.setattr(measure_costs, "_time", lambda call: two if fake_calls() == 2 else one)
    fake_calls = threads.call_threads
    with caplog.at_level("INFO"):
        choice = settle_threads(make_model())
    assert (choice.threads, choice.how, choice.ms) == (best, "measured", {2: two, 1: one})
    assert fake.number == best
    assert f"The run takes {best} thread(s), measured (2 took {two}.0 ms a call; 1 took {one}.0" in caplog.text
    assert choice.facts()["ms"] == {"2": two, "1": one}


def test_a_number_that_is_asked_for_or_kept_is_not_measured(make_model, monkeypatch, fake):
    monkeypatch.setattr(thread_choice, "measure_threads", None)
    kept = settle_threads(make_model(), kept=1)
    assert (kept.threads, kept.how, fake.number) == (1, "kept", 1)
    monkeypatch.setenv("PTP_LAB_THREADS", "3")
    asked = settle_threads(make_model(), kept=1)
    assert (asked.threads, asked.how, fake.number) == (3, "asked", 3)


def test_a_measurement_calls_the_model_with_both_numbers(make_model, fake):
    ms = measure_costs.measure_threads(make_model(), 2)
    assert set(ms) == {1, 2} and min(ms.values()) > 0
    assert set(fake.taken) == {1, 2}


def test_the_variables_of_openmp_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    found = thread_choice.Choice(2, "torch").facts()["openmp"]
    assert found["OMP_WAIT_POLICY"] == "passive" and "GOMP_SPINCOUNT" not in found


@pytest.mark.parametrize("command", ["toy", "generate"])
def test_every_command_takes_the_number_that_is_asked_for(command, fake, monkeypatch, capsys):
    seen = []
    _, _, text = COMMANDS[command]
    monkeypatch.setitem(COMMANDS, command, (lambda parser: None, lambda options: seen.append(fake.number), text))
    monkeypatch.setenv("PTP_LAB_THREADS", "3")
    assert main([command]) == 0 and seen == [3]
    monkeypatch.setenv("PTP_LAB_THREADS", "many")
    assert main([command]) == 1
    assert capsys.readouterr().err == """error: PTP_LAB_THREADS is "auto" or a number of threads, got 'many'.\n"""


def test_the_watch_says_what_calls_take(fake, caplog, monkeypatch):
    monkeypatch.setattr(thread_choice.torch.cuda, "is_available", lambda: False)
    with caplog.at_level("INFO"):
        thread_choice.watch_threads()
        run(threads._watch, 40, 200, 63)
    assert "Calls take 2 thread(s), or one where that is quicker." in caplog.text
    assert "Calls take 1 thread(s): " in caplog.text
