"""python -m app: serves the lab, with its weights brought first and the address printed."""

from __future__ import annotations

import sys

from tqdm import tqdm

from ptp_core.storage.default_target import WeightsMissing, default_target

from .main import build_demo, launch_options, watch_threads
from .serving.models import ModelShelf


def main() -> int:
    """Brings the weights with a progress bar, then serves until interrupted. Returns the exit status."""
    shelf = ModelShelf()
    watch_threads()
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {desc}", leave=False) as bar:

        def report(share: float, text: str) -> None:
            bar.set_description_str(text, refresh=False)
            bar.update(int(100 * share) - bar.n)

        try:
            default_target(report)
            shelf.preload()
        except WeightsMissing as error:  # the recorded races work without them
            tqdm.write(
                f"{error}\nStarting without them: recorded races can be seen, new ones cannot be run.", sys.stderr
            )
    demo = build_demo(shelf)
    _, address, _ = demo.launch(**launch_options(), prevent_thread_lock=True, quiet=True)
    print(f"\nPTP Lab is at {address}  (Ctrl-C stops it)", flush=True)
    demo.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
