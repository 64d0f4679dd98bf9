"""The line of those who wait for the model."""

from app.serving.line import Line


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_place_in_the_line_and_the_time_that_it_takes():
    clock = Clock()
    line = Line(clock)
    with line.run("first"):
        assert line.place("first") == {"running": True}
        assert line.place("a") == {"running": False, "place": 1, "seconds": None}
        assert line.place("b")["place"] == 2
        clock.now = 10.0
        assert line.place("b")["place"] == 2 and line.place("a")["place"] == 1
    with line.run("second"):
        clock.now = 14.0
        assert line.place("a") == {"running": False, "place": 1, "seconds": 6.0}  # 4 of about 10 are over
        assert line.place("b") == {"running": False, "place": 2, "seconds": 16.0}
        with line.run("a"):
            assert line.place("a") == {"running": True} and line.place("b")["place"] == 1


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
