"""From noise to tokens: bins, sweeps, squares, staircases."""
