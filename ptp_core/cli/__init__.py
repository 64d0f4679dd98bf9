"""The commands of python -m ptp_core."""
