"""The drafters, one family a file. Importing a file registers its drafters."""

from . import autoregressive, lookup, parallel, shallow, slots
from .base import DRAFTERS, Drafter, Times, drafts, drive

__all__ = [
    "DRAFTERS",
    "Drafter",
    "Times",
    "autoregressive",
    "drafts",
    "drive",
    "lookup",
    "parallel",
    "shallow",
    "slots",
]
