"""The decoders by method name: one family of drafters a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...trace import DecodeStep
from .autoregressive import decode_ar
from .lookup import decode_prompt_lookup
from .shallow import decode_shallow, decode_shallow_lookup
from .slots import decode_independent, decode_pqd, decode_ptp

DECODERS: dict[str, Callable[..., Iterator[DecodeStep]]] = {
    "ar": decode_ar,
    "ptp": decode_ptp,
    "pqd": decode_pqd,
    "shallow": decode_shallow,
    "shallow_lookup": decode_shallow_lookup,
    "independent": decode_independent,
    "prompt_lookup": decode_prompt_lookup,
}
