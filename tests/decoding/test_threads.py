"""The watch over threads, on made-up machines: it costs little on a quiet one and follows a busy one."""

from __future__ import annotations

import random

import pytest

from ptp_core import NoiseTape, generate
from ptp_core.decoding import threads
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


def test_a_machine_that_is_busy_from_the_start_is_found_out():
    watch = Watch(2)
    run(watch, 40, 200, 63)
    assert watch.threads == 1


def test_reading_a_prompt_says_nothing():
    watch = Watch(2)
    for _ in range(50):
        watch.observe(400, 5000)
    assert watch.threads == 2 and watch._trial is None


def test_without_a_second_thread_nothing_is_tried():
    watch = Watch(1)
    run(watch, 50, 40, 40)
    assert watch.threads == 1


def test_decoding_follows_the_watch_and_measurements_do_not(make_model, monkeypatch):
    taken = []
    monkeypatch.setattr(threads.torch, "set_num_threads", taken.append)
    monkeypatch.setattr(threads, "_watch", None)
    monkeypatch.setattr(threads, "_here", type("Here", (), {})())
    model = make_model(adapter=False)
    generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=4)
    assert taken == [], "off unless asked for"
    watch = threads.start_watch(2)
    monkeypatch.setattr(watch, "observe", lambda *_: setattr(watch, "threads", 1))
    generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=4)
    assert taken == [2, 1]
    with threads.fixed_threads():
        generate(model, [3, 4], "ar", NoiseTape(1), max_new_tokens=4)
    assert taken == [2, 1, 2]
