"""Worlds that are small enough to be known exactly."""
