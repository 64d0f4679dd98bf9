"""python -m app.export_tab OUT: writes the page whose model runs in the browser as a folder for any web server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .tab.export import write_copy
from .tab.files import shipped


def main() -> int:
    """Writes the folder and says where it is; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m app.export_tab", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the copy")
    asked = parser.parse_args()
    files = shipped()
    if files is None:
        print("The small model is not there, so there is no page to copy.", file=sys.stderr)
        return 1
    print(f"{write_copy(files, asked.out)}: put the folder on a web server, python -m http.server for instance.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
