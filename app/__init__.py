"""The lab's user interface. It imports ptp_core; ptp_core knows nothing of it."""
