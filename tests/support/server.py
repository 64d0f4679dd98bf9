"""What tests need that start a server."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port that nobody listens on; Gradio's own search is not safe when several tests start at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
