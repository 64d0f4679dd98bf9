"""The lab with the tiny model, for a script that starts one: python -m support.tiny_lab."""

from __future__ import annotations

from support.lab_process import tiny_demo

from app.main import launch_options

SECONDS_PER_CALL = 0.03

if __name__ == "__main__":
    tiny_demo(SECONDS_PER_CALL).launch(**launch_options(), quiet=True)
