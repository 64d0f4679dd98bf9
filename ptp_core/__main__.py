"""Command line: python -m ptp_core COMMAND (see --help of each)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .cli.benchmark import BENCH_COMMANDS
from .cli.generate import GENERATE_COMMANDS
from .cli.pretraining import PRETRAINING_COMMANDS
from .cli.training import TRAINING_COMMANDS
from .decoding.thread_choice import take_asked_threads
from .refusals import REFUSALS, sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. Errors are one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m ptp_core", description="Parallel Token Prediction")
    commands = parser.add_subparsers(dest="command", required=True)
    arguments = sys.argv[1:] if arguments is None else arguments
    for name, (add, run, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name in arguments[:1]:  # options of some commands need modules that take seconds to import
            add(command)
    options = parser.parse_args(arguments)
    try:
        take_asked_threads()
        options.run(options)
    except REFUSALS as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


COMMANDS = {
    **GENERATE_COMMANDS,
    **BENCH_COMMANDS,
    **TRAINING_COMMANDS,
    **PRETRAINING_COMMANDS,
}


if __name__ == "__main__":
    sys.exit(main())
