"""Hiding and showing in a repository of its own."""

import subprocess
from pathlib import Path

import pytest

from tools.gpu.travel import PARTS_FOLDER, Unsafe, hide, is_hidden, show, travelling

ROOT = Path(__file__).resolve().parents[2]


def git(root, *arguments):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    for name in ("assets/adapters/one/large.bin", "docs/picture.png", "docs/page.md", "code.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x" * 100)
    git(tmp_path, "add", "."), git(tmp_path, "commit", "-qm", "all")
    return tmp_path


def test_hiding_and_showing_leave_all_as_it_was(repository):
    exclude = repository / ".git/info/exclude"
    exclude.write_text("/own\n")
    hide(repository)
    hide(repository)  # twice is as good as once
    (repository / PARTS_FOLDER).mkdir()
    (repository / PARTS_FOLDER / "part-1.zip").write_text("x")
    assert is_hidden(repository)
    assert set(travelling(repository)) == {"code.py", "docs/page.md"}
    assert (repository / "assets/adapters/one/large.bin").exists()
    show(repository)
    (repository / PARTS_FOLDER / "part-1.zip").unlink()
    assert git(repository, "status", "--porcelain") == ""
    assert exclude.read_text() == "/own\n"
    assert len(travelling(repository)) == 4


def test_what_is_not_committed_is_not_hidden(repository):
    (repository / "assets/adapters/one/large.bin").write_text("changed")
    with pytest.raises(Unsafe, match="Commit it"):
        hide(repository)
    assert not is_hidden(repository)


def test_a_new_file_in_a_hidden_folder_is_not_lost_sight_of(repository):
    (repository / "assets/adapters/new.bin").write_text("x")
    with pytest.raises(Unsafe, match=r"new\.bin"):
        hide(repository)


def test_what_is_staged_stays_staged(repository):
    (repository / "code.py").write_text("changed")
    git(repository, "add", "code.py")
    with pytest.raises(Unsafe, match="staged"):
        hide(repository)
    assert git(repository, "diff", "--cached", "--name-only").split() == ["code.py"]


def test_work_done_while_hidden_stays(repository):
    hide(repository)
    (repository / "code.py").write_text("changed")
    show(repository)
    assert git(repository, "status", "--porcelain").split() == ["M", "code.py"]


def test_the_checkout_itself_travels_whole():
    """62 MiB, so that a call that takes 64 MiB has room for what is added on the day."""
    tracked = git(ROOT, "ls-files", "-z").split("\0")[:-1]
    assert len(tracked) > 400
    assert sum((ROOT / name).stat().st_size for name in tracked if (ROOT / name).is_file()) < 62 << 20
