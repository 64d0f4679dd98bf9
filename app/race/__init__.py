"""The Race page: two lanes on the same noise."""
