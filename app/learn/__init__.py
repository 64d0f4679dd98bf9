"""The Learn page: what its figures show, and where that comes from."""
