"""What an entry says about threads: a watch where people decode, one measured number where times are compared.

A number of threads can be set at any time. Spin counts and wait policies of OpenMP must be set before torch is loaded.
They are left alone: none was good both alone and beside a busy process (docs/log.md).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..model.ptp_model import PTPModel
from .measure_costs import measure_threads
from .threads import start_watch

_LOG = logging.getLogger(__name__)
VARIABLE = "PTP_LAB_THREADS"
OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


@dataclass(frozen=True)
class Choice:
    """A number of threads and how it was found.

    how  "asked" by PTP_LAB_THREADS, "kept" from a stopped run, "measured", "watched", or "torch" for its own number
    ms   median milliseconds of a plain call by number of threads, where they were measured
    """

    threads: int
    how: str
    ms: Mapping[int, float] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What a result keeps: how, ms, and the variables of OpenMP that are set."""
        ms = {str(number): round(value, 2) for number, value in self.ms.items()}
        return {"how": self.how, "ms": ms, "openmp": {name: os.environ[name] for name in OPENMP if name in os.environ}}


def asked_threads() -> int | None:
    """The number that PTP_LAB_THREADS gives, None for "auto"; ValueError for anything else."""
    wanted = os.environ.get(VARIABLE, "auto")
    if wanted == "auto":
        return None
    if not (wanted.isascii() and wanted.isdigit()) or int(wanted) < 1:
        raise ValueError(f'{VARIABLE} is "auto" or a number of threads, got {wanted!r}.')
    return int(wanted)


def take_asked_threads() -> None:
    """Sets the number that is asked for, whatever the command: training, too. ValueError as asked_threads."""
    asked = asked_threads()
    if asked is not None:
        torch.set_num_threads(asked)


def watch_threads() -> None:
    """Lets calls take all threads or one, whichever is quicker, unless PTP_LAB_THREADS gives a number.

    On a GPU there is nothing to choose. ValueError where the variable makes no sense.
    """
    asked = asked_threads()
    _show_log()
    if asked is not None:
        start_watch(asked, chooses=False)
        _LOG.info("Calls take %d thread(s).", asked)
    elif not torch.cuda.is_available():
        most = start_watch().most
        _LOG.info("Calls take %d thread(s)%s.", most, ", or one where that is quicker" if most > 1 else "")


def settle_threads(model: PTPModel, kept: int | None = None) -> Choice:
    """One number for a whole run, set in this thread: a benchmark must not change it on the way.

    kept: that of the rows which the run goes on from. Without one, plain calls are timed with all threads and with one.
    """
    asked, most = asked_threads(), torch.get_num_threads()
    if asked is not None:
        choice = Choice(asked, "asked")
    elif model.device.type != "cpu" or most == 1:
        choice = Choice(most, "torch")
    elif kept is not None:
        choice = Choice(kept, "kept")
    else:
        ms = measure_threads(model, most)
        choice = Choice(min(ms, key=lambda number: (ms[number], -number)), "measured", ms)
    torch.set_num_threads(choice.threads)
    _show_log()
    timed = "; ".join(f"{number} took {value:.1f} ms a call" for number, value in choice.ms.items())
    _LOG.info("The run takes %d thread(s), %s%s.", choice.threads, choice.how, f" ({timed})" if timed else "")
    return choice


def _show_log() -> None:
    """What the lab logs goes to standard error, unless the program has set up logging itself."""
    logger = logging.getLogger("ptp_core")
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)
