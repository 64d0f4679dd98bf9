"""What travels to the machine: hides from git what must not, and brings it back.

    python -m tools.gpu.travel hide     before the first call
    python -m tools.gpu.travel size     what travels now; --limit: the bytes that one call may carry
    python -m tools.gpu.travel show     undoes `hide`

A machine gets the tracked files and those that git does not ignore. `hide` takes large folders out of the index and
names them in .git/info/exclude, so git ignores them; the files stay where they are. Do not commit before `show`: a
commit would delete them from the history's tip.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

HIDDEN = ("assets/adapters", "assets/benchmarks", "assets/races", "docs/*.png")
PARTS_FOLDER = ".gpu"  # parts lie here; git ignores them while things are hidden
LIMIT = 64 << 20  # bytes
_BEGIN, _END = "# hidden by tools/gpu: `python -m tools.gpu.travel show` undoes it", "# end of tools/gpu"


class Unsafe(RuntimeError):
    """Hiding or showing would lose work; the message says what to do first."""


def hide(root: Path, patterns: Sequence[str] = HIDDEN) -> None:
    """Takes what the patterns name out of the index and lets git ignore it. Twice is as good as once.

    Raises Unsafe where something is staged, or where a hidden file is not committed as it is.
    """
    if is_hidden(root):
        return
    if _git(root, "diff", "--cached", "--name-only"):
        raise Unsafe("Something is staged. Commit it, or take it back, before hiding.")
    changed = _git(root, "status", "--porcelain", "--", *patterns)
    if changed:
        raise Unsafe(f"Not committed as it is: {changed.splitlines()[0].strip()}. Commit it before hiding.")
    tracked = [p for p in patterns if _git(root, "ls-files", "--", p)]
    if tracked:
        _git(root, "rm", "-r", "-q", "--cached", "--", *tracked)
    exclude = _exclude(root)
    exclude.parent.mkdir(parents=True, exist_ok=True)
    before = exclude.read_text() if exclude.exists() else ""
    lines = [_BEGIN, *(f"/{p}" for p in (*patterns, PARTS_FOLDER)), _END]
    exclude.write_text(before + ("" if not before or before.endswith("\n") else "\n") + "\n".join(lines) + "\n")


def show(root: Path, patterns: Sequence[str] = HIDDEN) -> None:
    """Undoes `hide`: the index has the files again as the last commit has them, and git ignores them no more."""
    if not is_hidden(root):
        return
    exclude = _exclude(root)
    before, _, rest = exclude.read_text().partition(_BEGIN + "\n")
    exclude.write_text(before + rest.partition(_END + "\n")[2])
    committed = [p for p in patterns if _git(root, "ls-tree", "-r", "--name-only", "HEAD", "--", _folder(p))]
    if committed:
        _git(root, "reset", "-q", "--", *committed)


def is_hidden(root: Path) -> bool:
    """Whether `hide` was called and `show` was not."""
    exclude = _exclude(root)
    return exclude.exists() and _BEGIN in exclude.read_text().splitlines()


def travelling(root: Path) -> dict[str, int]:
    """Bytes of each file that a machine would get: tracked, or neither tracked nor ignored."""
    names = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name: (root / name).stat().st_size for name in sorted(set(names)) if name and (root / name).is_file()}


def _folder(pattern: str) -> str:
    """ls-tree knows no wildcards: the folder in front of one."""
    return pattern if "*" not in pattern else pattern.partition("*")[0]


def _exclude(root: Path) -> Path:
    return root / _git(root, "rev-parse", "--git-path", "info/exclude").strip()


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unsafe(f"git {arguments[0]} says: {done.stderr.strip()}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("hide", "size", "show"))
    parser.add_argument("--limit", type=int, default=LIMIT, help="bytes that one call may carry")
    options = parser.parse_args(arguments)
    command = options.command
    root = Path(_git(Path.cwd(), "rev-parse", "--show-toplevel").strip())
    if command == "hide":
        hide(root)
    elif command == "show":
        show(root)
    size = sum(travelling(root).values())
    parts = {p: p.stat().st_size for p in sorted((root / PARTS_FOLDER).glob("*")) if p.is_file()}
    print(f"{size / 1e6:.1f} MB travel" + (", large folders are hidden" if is_hidden(root) else ""))
    for part, more in parts.items():
        fits = "fits" if size + more < options.limit else "DOES NOT FIT"
        print(f"with {part.relative_to(root)}: {(size + more) / 1e6:.1f} MB, {fits} into one call")


if __name__ == "__main__":
    main()
