"""The line of those who wait for the model."""

from app.serving.line import LINE, Line
from app.serving.store import until_stopped


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_place_in_the_line_and_the_time_that_it_takes():
    clock = Clock()
    line = Line(clock)
    with line.run("first"):
        assert line.place("first") == {"running": True}
        assert line.place("a") == {"running": False, "place": 1, "seconds": None, "timed": False}
        assert line.place("b")["place"] == 2
        clock.now = 10.0
        assert line.place("b")["place"] == 2 and line.place("a")["place"] == 1
    with line.run("second"):
        clock.now = 14.0
        assert line.place("a") == {"running": False, "place": 1, "seconds": 6.0, "timed": True}  # 4 of 10 are over
        assert line.place("b") == {"running": False, "place": 2, "seconds": 16.0, "timed": True}
        with line.run("a"):
            assert line.place("a") == {"running": True} and line.place("b")["place"] == 1


def test_a_run_tells_how_much_of_it_is_done():
    clock = Clock()
    line = Line(clock)
    with line.run("first"):
        clock.now = 10.0
    with line.run("long") as running:
        clock.now = 40.0
        assert line.place("a")["seconds"] == 0.0, "it has taken longer than others, and says nothing"
        running.reached(0.25)
        assert line.place("a")["seconds"] == 90.0 and line.place("b")["seconds"] == 100.0
        running.reached(1.5)
        assert line.place("a")["seconds"] == 0.0


def test_until_a_run_was_timed_a_time_is_expected():
    clock = Clock()
    line = Line(clock)
    line.expect(0.1)  # a token
    with line.run("first") as running:
        clock.now = 2.0
        assert line.place("a")["seconds"] == 4.4, "64 tokens, where nothing is said"
        running.may_write(24)
        assert line.place("a")["seconds"] == 0.4
        assert line.place("b") == {"running": False, "place": 2, "seconds": 2.8, "timed": False}
        clock.now = 3.0
    assert line.place("b") == {"running": False, "place": 2, "seconds": 3.0, "timed": True}, "what was measured counts"


def test_a_run_s_events_say_how_long_its_text_may_become():
    for event, tokens in (({"event": "start", "tokens": 12}, 12), ({"event": "start"}, 64)):
        events = until_stopped("a", iter([event, {"event": "done"}]))
        next(events)
        assert LINE._running["a"].tokens == tokens
        assert list(events) == [{"event": "done", "ticket": "a"}]


def test_a_page_that_was_closed_leaves_the_line():
    clock = Clock()
    line = Line(clock)
    line.place("closed")
    clock.now = 8.0
    assert line.place("b")["place"] == 2
    clock.now = 13.0
    assert line.place("b")["place"] == 1
    assert line.place("closed")["place"] == 2, "who comes back stands at the end"


def test_a_run_that_fails_frees_its_place():
    line = Line(Clock())
    try:
        with line.run("a"):
            raise ValueError
    except ValueError:
        assert line.place("b")["seconds"] == 0.0


def test_a_ticket_that_is_used_twice_harms_nobody():
    line = Line(Clock())
    with line.run("same"), line.run("same"):
        pass
    assert line.place("same")["running"] is False
