"""What noise does to a text: bins, what-ifs, sweeps, the unit square, the staircase. No UI, no hidden noise.

Most functions take a trace, made by `generate` or loaded, and the model that wrote it. Pass the same `contexts` to
several of them, and the text is read once.
"""

from __future__ import annotations

from .maps.agreement import agreement, by_quality
from .maps.clock_race import ClockRace, Runner, clock_race, nearest_clock
from .maps.contexts import Contexts
from .maps.draft_pairs import draft_pairs
from .maps.redecode import changed, redecode_steps, what_if
from .maps.staircase import Staircase, distribution, nearest_flip, staircase, staircase_steps
from .maps.sweep import SafeInterval, Stretch, Sweep, safe_interval, sweep, sweep_steps
from .maps.unit_square import Agreement, Cell, Column, Square, UnitSquare, unit_square, unit_square_steps

__all__ = [
    "Agreement", "Cell", "ClockRace", "Column", "Contexts", "Runner", "SafeInterval", "Square", "Staircase", "Stretch",
    "Sweep", "UnitSquare",
    "agreement", "by_quality", "changed", "clock_race", "distribution", "draft_pairs", "nearest_clock", "nearest_flip",
    "redecode_steps", "safe_interval", "staircase",
    "staircase_steps", "sweep", "sweep_steps", "unit_square",
    "unit_square_steps", "what_if",
]  # fmt: skip
