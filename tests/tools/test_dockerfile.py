"""The Dockerfile: what it names exists, and its steps lead to a lab that serves its pages."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch
from support.dockerfile import assigned, copy, instructions, run_steps, tracked
from support.server import free_port

ROOT = Path(__file__).resolve().parents[2]
STEPS = instructions((ROOT / "Dockerfile").read_text())
COPIED = [source for step in STEPS if step.word == "COPY" for source in step.copied[0]]


def test_every_path_exists_and_is_sent_to_docker():
    assert COPIED
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(sent) == sorted(COPIED)
    for source in COPIED:
        assert tracked(ROOT, source), f"git knows no {source}"


def test_what_is_not_sent_is_not_needed():
    left_out = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] not in "#!*"]
    names = [name for name in tracked(ROOT, *COPIED) if any(fnmatch(name, pattern) for pattern in left_out)]
    assert all(name.startswith("docs/") and name.endswith(".png") for name in names)


def test_commands_are_there():
    command = next(step for step in STEPS if step.word == "CMD").command
    assert command[0] == "python"
    assert command[1] in COPIED
    programs = {step.rest.split()[0] for step in STEPS if step.word == "RUN"}
    assert programs == {"useradd", "python"}  # Debian's and the image's own
    read = [match for step in STEPS for match in re.findall(r"-r (\S+)", step.rest)]
    assert read == ["requirements.txt"]


def test_it_is_the_space_and_the_makefile_once_more():
    image = next(step for step in STEPS if step.word == "FROM").rest
    card = (ROOT / "README.md").read_text()
    version = re.search(r'python_version: "(.+)"', card)[1]
    assert image == f"python:{version}-slim"
    assert assigned(STEPS, "ARG")["TORCH"] == re.search(r"^TORCH := (.+)$", (ROOT / "Makefile").read_text(), re.M)[1]
    for name in assigned(STEPS, "ENV"):
        assert f"`{name}`" in (ROOT / "docs" / "using-the-lab.md").read_text()


def installed(lines) -> list[str]:
    """What each `pip install` among the lines installs, options aside."""
    found = (re.search(r"pip install (.+)", line) for line in lines)
    return [re.sub(r"--[\w-]+ |[\"$()]", "", match[1]) for match in found if match]


def test_make_and_so_continuous_integration_does_its_steps_in_a_clean_environment():
    """`make test` from a clean clone installs what the image has, in the same order; what tests need comes behind."""
    rules = (ROOT / "Makefile").read_text().splitlines()
    ours = installed(step.rest for step in STEPS if step.word == "RUN")
    assert ours == ["TORCH", "-r requirements.txt"]
    made = [each for each in installed(rules) if each != "pip"]
    assert [*ours, "-r requirements-dev.txt"] == made
    assert "make test\n" in (ROOT / ".ci/run").read_text()


def test_the_spaces_requirements_leave_torch_to_the_platform():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    needed = [re.split(r"[\[=<>]", line)[0] for line in lines if line and line[0] != "#"]
    assert "spaces" not in needed, "the platform brings its own"
    assert [line for line in lines if line.startswith("torch")] == ["torch>=2.8,<2.14"], "a range, no pin"
    gradio = next(line for line in lines if line.startswith("gradio"))
    assert f"sdk_version: {gradio.partition('==')[2]}\n" in (ROOT / "README.md").read_text()


def test_a_path_that_is_missing_would_be_found():
    steps = instructions("FROM a\nCOPY --chown=lab one two ./\nRUN a \\\n  b\nENV A=1 B=2\n")
    assert steps[1].copied == (["one", "two"], "./")
    assert steps[2].rest.split() == ["a", "b"]
    assert assigned(steps, "ENV") == {"A": "1", "B": "2"}
    assert tracked(ROOT, "one") == []


def test_what_it_copies_serves_the_pages(tmp_path):
    """The COPY steps and CMD, in the environment that `make` has installed as the image does."""
    image = tmp_path / "image"
    for step in STEPS:
        if step.word == "COPY":
            copy(step, ROOT, image)
    assert not (image / "tests").exists() and not (image / "tools").exists()
    assert_pages(image, Path(sys.executable).parent, tmp_path)


@pytest.mark.slow
def test_its_steps_in_a_clean_environment_serve_the_pages(tmp_path):
    image = tmp_path / "image"
    image.mkdir()
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"
    done = list(run_steps(STEPS, ROOT, image, programs, {"TORCH": f"torch=={torch.__version__}"}))
    assert len(done) == 2
    assert_pages(image, programs, tmp_path)
    shutil.rmtree(tmp_path / "venv")


def assert_pages(image: Path, programs: Path, folder: Path) -> None:
    """CMD in the folder `image` serves all pages."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        **assigned(STEPS, "ENV"), "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port),
        "PTP_LAB_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    command = next(step for step in STEPS if step.word == "CMD").command
    log = (folder / "log").open("w")
    with subprocess.Popen(
        [programs / command[0], *command[1:]], cwd=image, env=environment, stdout=log, stderr=log
    ) as lab:
        try:
            for path in ("", "noise", "acceptance", "learn"):
                assert "PTP Lab" in fetch(f"http://127.0.0.1:{port}/{path}", lab, folder / "log")
        finally:
            lab.terminate()


def fetch(address: str, lab: subprocess.Popen, log: Path) -> str:
    """The page, once the server is there."""
    open_without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    for _ in range(480):
        assert lab.poll() is None, log.read_text()[-3000:]
        try:
            return open_without_proxy(address, timeout=30).read().decode()
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])
