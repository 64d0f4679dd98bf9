"""The Acceptance page: benchmark results, and a benchmark to run."""
