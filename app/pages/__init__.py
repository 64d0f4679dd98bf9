"""One file per page: its layout and event wiring, nothing else."""
