"""The lab's user interface. It imports ptp_core; ptp_core knows nothing of it."""

from contextlib import suppress

with suppress(ImportError):  # there on Spaces only, where it must come before torch
    import spaces  # noqa: F401
