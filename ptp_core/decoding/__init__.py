"""One session, one loop, one family of drafters a file."""
