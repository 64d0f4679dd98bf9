"""Parallel Token Prediction: noise, sampling, drafting, verification and decoding of language models.

model = load_model()
ids = model.encode("Why is the sky blue?", chat=True)
trace = generate(model, ids, method="pqd", noise=NoiseTape(7))
"""

from .decoding.decode import (
    decode_ar,
    decode_independent,
    decode_pqd,
    decode_prompt_lookup,
    decode_ptp,
    generate,
)
from .methods import METHODS
from .model.config import AdapterConfig
from .model.ptp_model import PTPModel
from .noise import NoiseTape
from .sampling import SamplingConfig, bin_edges, pick, warp
from .storage.adapter_files import load_adapter, save_adapter
from .storage.load import load_model
from .trace import DecodeStep, Trace, TraceStats, first_divergence
from .verify import Verdict, verify

__all__ = [
    "METHODS",
    "AdapterConfig",
    "DecodeStep",
    "NoiseTape",
    "PTPModel",
    "SamplingConfig",
    "Trace",
    "TraceStats",
    "Verdict",
    "bin_edges",
    "decode_ar",
    "decode_independent",
    "decode_pqd",
    "decode_prompt_lookup",
    "decode_ptp",
    "first_divergence",
    "generate",
    "load_adapter",
    "load_model",
    "pick",
    "save_adapter",
    "verify",
    "warp",
]
