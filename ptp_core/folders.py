"""Folders on this machine, and the environment variables that move them."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "PTP_LAB_CACHE"


def cache_folder() -> Path:
    """Where weights and measurements are kept: $PTP_LAB_CACHE or the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ptp-lab"))


def models_folder() -> Path:
    """Where the targets that come with the project lie."""
    return Path(os.environ.get("PTP_LAB_MODELS") or Path(__file__).resolve().parent.parent / "assets" / "models")


def adapters_folder() -> Path:
    """Where the adapters that come with the project lie."""
    return Path(os.environ.get("PTP_LAB_ADAPTERS") or Path(__file__).resolve().parent.parent / "assets" / "adapters")
