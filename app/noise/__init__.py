"""The Noise page: a text on other noise, and maps from noise to tokens."""
