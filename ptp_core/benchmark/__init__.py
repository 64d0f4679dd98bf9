"""Questions, methods, rows, and what the rows amount to."""
