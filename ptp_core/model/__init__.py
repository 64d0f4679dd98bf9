"""One frozen network that verifies at tokens and drafts at slots."""
