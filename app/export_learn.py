"""python -m app.export_learn OUT: writes the Learn page as one HTML file that needs neither Python nor a network."""

from __future__ import annotations

import argparse
from pathlib import Path

from .learn.export import write_copy


def main() -> None:
    """Writes OUT/index.html and says where it is."""
    parser = argparse.ArgumentParser(prog="python -m app.export_learn", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the copy")
    path = write_copy(parser.parse_args().out)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB. Open it in a browser.")


if __name__ == "__main__":
    main()
