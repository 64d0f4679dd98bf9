"""A full Space: who comes, what a page told, what must hold, a lab that does not come up, and all of it in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.full_space.deadline import Deadline, Overdue, below
from tools.full_space.plan import MARK, PAGES, visits
from tools.full_space.promises import broken, table
from tools.full_space.server import Server, resident
from tools.full_space.tab import Heard

ROOT = Path(__file__).resolve().parents[2]


def test_each_visitor_has_a_mark_a_prompt_and_an_address_of_its_own():
    everyone = visits(20, 16, callers=4)
    assert [one.page for one in everyone[:4]] == [*PAGES, next(iter(PAGES))]
    assert [one.page for one in everyone[20:]] == ["api"] * 4
    assert {one.model for one in everyone} == {"smollm2-135m", "ptp-small"}
    for found in ([one.prompt for one in everyone], [one.seed for one in everyone], [one.address for one in everyone]):
        assert len(set(found)) == 24
    assert all(MARK.findall(one.prompt) == [one.mark] for one in everyone)
    script = (ROOT / "tools" / "full_space" / "recorder.js").read_text()
    assert f"/{MARK.pattern}/g" in script, "the page looks for the same marks"


def test_what_a_page_told():
    says = [
        (0.0, "Waiting for the model. Runs of all visitors take turns …"),
        (2.1, "Waiting for the model: 3 runs are before yours …"),
        (4.0, "Waiting for the model: 1 run is before yours, about 12 s …"),
        (6.0, "Waiting for the model: yours is the next run, about 1 s …"),
        (8.0, "Decoding both lanes in turns, on the same noise …"),
    ]
    heard = Heard(says)
    assert (heard.place_seconds, heard.time_seconds, heard.text_seconds) == (2.1, 4.0, 8.0)
    assert heard.told_seconds == 12.0
    assert heard.done_seconds is None and Heard([*says, (9.5, "")]).done_seconds == 9.5
    assert [Heard(says[: i + 1]).before for i in range(5)] == [None, 3, 1, 0, None]
    assert heard.most_before == 3
    nothing = Heard()
    assert (
        nothing.place_seconds
        is nothing.done_seconds
        is nothing.told_seconds
        is nothing.before
        is nothing.most_before
        is None
    )


def good():
    """A play in which every promise held."""
    visitor = {
        "visitor": 1, "page": "race", "model": "ptp-small", "opened": 3.0, "shown": 2.0, "place": 2.0, "timed": 4.0,
        "told": 5.0, "text": 9.0, "done": 11.0, "own": True, "foreign": [], "same": True, "texts": ["a", "a"],
        "wrong": "",
    }  # fmt: skip
    moved = {"third_moved": 2.0, "fourth_moved": 2.0, "third_began": 1.0}
    return {
        "rush": [visitor],
        "memory": {"before": 1500.0, "peak": 2500.0, "after": 1700.0},
        "stop": dict(moved),
        "close": dict(moved),
        "flood": {
            "done": 20.0, "silent": 0, "refused": {"runs": 5, "race files": 3}, "sentences": ["Wait."],
        },
        "unfinished": {},
    }  # fmt: skip


def test_a_good_play_breaks_no_promise_and_has_a_table():
    assert broken(good()) == []
    text = table(good())
    assert "ptp-small" in text and "yes" in text and "third_moved 2.0" in text


@pytest.mark.parametrize(
    ("where", "wound", "says"),
    [
        ("rush", {"foreign": ["guest_002"]}, "saw what is another's: guest_002"),
        ("rush", {"own": False}, "did not see the own prompt"),
        ("rush", {"same": False}, "another text than alone"),
        ("rush", {"done": None}, "got no text"),
        ("rush", {"timed": None, "text": 40.0}, "no place with a time"),
        ("rush", {"timed": 30.0, "text": 40.0}, "no place with a time"),
        ("rush", {"wrong": "TypeError"}, "met an error: TypeError"),
        ("memory", {"peak": 9000.0}, "held 9000 MB"),
        ("memory", {"after": 2100.0}, "kept 600 MB"),
        ("stop", {"third_moved": 25.0}, "After stop, the next place took 25 s"),
        ("close", {"third_began": None}, "After close, the next run took too long"),
        ("flood", {"done": 100.0}, "beside a flood had no text"),
        ("flood", {"silent": 2}, "2 refusals of the flood had no sentence"),
        ("flood", {"refused": {}}, "was not refused"),
        ("unfinished", {"flood": "no time"}, "The phase flood did not come to its end: no time"),
    ],
)
def test_a_broken_promise_is_a_sentence(where, wound, says):
    found = good()
    (found[where][0] if where == "rush" else found[where]).update(wound)
    assert len(broken(found)) == 1 and says in broken(found)[0]


def test_a_lab_that_does_not_come_up_says_why(tmp_path):
    ends = [sys.executable, "-c", "print('no weights'); raise SystemExit(3)"]
    with pytest.raises(Overdue, match=r"status 3(?s:.*)no weights"), Server(Deadline(20), tmp_path / "log", ends):
        pass
    waits = [sys.executable, "-c", "import time; time.sleep(100)"]
    silent = Server(Deadline(0.5), tmp_path / "log", waits)
    with pytest.raises(Overdue, match="answers at its port"), silent:
        pass
    assert silent.process.poll() is not None, "nothing is left behind"


def test_behind_the_deadline_nothing_that_was_started_goes_on():
    before = subprocess.Popen(["sleep", "100"])
    deadline = Deadline(0.2)
    child = subprocess.Popen(["sh", "-c", "sleep 100 & wait"])
    grandchild = deadline.until("it starts a process", lambda: below(child.pid), 10) if deadline.left else []
    try:
        assert child.pid in below(os.getpid()) and set(grandchild) <= set(below(os.getpid()))
        deadline.end_all()
        assert child.wait(10) != 0 and before.poll() is None
        with pytest.raises(Overdue, match="a thing that never comes"):
            Deadline(0.1).until("a thing that never comes", lambda: None)
    finally:
        before.kill()
        before.wait()


def test_memory_is_read():
    assert 10 < resident(os.getpid()) < 100_000
    assert resident(2**30) == 0


@pytest.mark.browser
@pytest.mark.slow
def test_all_of_it_with_two_visitors_and_a_tiny_model(tmp_path):
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    command = [
        sys.executable, "-m", "tools.full_space", "--visitors", "2", "--callers", "1", "--seconds", "500",
        "--lab", f"{sys.executable} -m support.tiny_lab", "--out", str(tmp_path / "found.json"),
    ]  # fmt: skip
    # a process of its own: this one may have a browser of other tests
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Every promise held." in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert [came["page"] for came in found["rush"]] == ["race", "noise", "api"]
    assert len({came["texts"][0] for came in found["rush"]}) == 3, "three seeds, three texts"
    assert found["flood"]["refused"]["runs"] > 0
