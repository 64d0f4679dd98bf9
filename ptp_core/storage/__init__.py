"""Models and adapters on disk and on the hub."""
