"""The maps from noise to tokens, one file each. Importing them registers them.

inverse_cdf  one number u per position falls into the bin of a token (the paper's map)
gumbel       every token has a clock of its own at every position, and the first to ring is the token
"""

from . import gumbel, inverse_cdf  # noqa: F401
from .base import Coupling, Stay, coupling_of
from .noise_at import NoiseAt

__all__ = ["Coupling", "NoiseAt", "Stay", "coupling_of"]
