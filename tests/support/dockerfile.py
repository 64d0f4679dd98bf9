"""Reads a Dockerfile, and does its steps without Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def copied(self) -> tuple[list[str], str]:
        """(sources, target) of a COPY."""
        *sources, target = [part for part in shlex.split(self.rest) if not part.startswith("--")]
        return sources, target

    @property
    def assigned(self) -> dict[str, str]:
        """{name: value} of an ARG or ENV."""
        return dict(part.partition("=")[::2] for part in shlex.split(self.rest))

    @property
    def command(self) -> list[str]:
        """The words of a CMD."""
        return json.loads(self.rest)


def instructions(text: str) -> list[Instruction]:
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip() and not line.startswith("#")]


def assigned(steps: list[Instruction], word: str) -> dict[str, str]:
    """What all ARG or all ENV lines set."""
    return {name: value for step in steps if step.word == word for name, value in step.assigned.items()}


def tracked(root: Path, *sources: str) -> list[str]:
    """The files under these sources that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", *sources], cwd=root, capture_output=True, check=True)
    return listed.stdout.decode().split("\0")[:-1]


def copy(step: Instruction, root: Path, image: Path) -> None:
    """A COPY from `root` into the folder `image`; of folders, what git knows."""
    sources, target = step.copied
    for source in sources:
        for name in tracked(root, source):
            inside = Path(name).relative_to(source) if (root / source).is_dir() else Path()
            place = image / target / (Path(source).name if target == "./" else "") / inside
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, place)


def run_steps(steps: list[Instruction], root: Path, image: Path, bin: Path, arguments: dict[str, str]) -> Iterator[str]:
    """The COPY and the pip steps in the folder `image`, with the programs of a virtual environment; yields commands.

    Users and system folders are left alone. RuntimeError with the output where a step fails.
    """
    environment = {**os.environ, **assigned(steps, "ARG"), **arguments, "PATH": f"{bin}:{os.environ['PATH']}"}
    environment = {name: value for name, value in environment.items() if value}
    for step in steps:
        if step.word == "COPY":
            copy(step, root, image)
        elif step.word == "RUN" and "pip install" in step.rest:
            done = subprocess.run(
                step.rest, shell=True, cwd=image, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{step.rest}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
            yield step.rest
