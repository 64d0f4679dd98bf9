"""Whether a model decodes by the engine, and its check before it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..model.ptp_model import PTPModel
from ..refusals import reason
from .engine import Engine
from .graphs import Capture, cuda_graph
from .network import obstacle
from .workspace import Workspace

VARIABLE = "PTP_LAB_ENGINE"
CHOICES = ("auto", "on", "off")
_ZERO = "SPACES_ZERO_GPU"  # processes live shortly there: pairs of weights and graphs would be made for each request
_PROBE = (3, 1, 4, 2)
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.2}  # relative: what other kernels may change
_CHECK_ROWS, _CHECK_LENGTH = 16, 64


def is_wanted(asked: str, device: str) -> bool:
    """Whether models on this device decode by the engine; "auto" asks $PTP_LAB_ENGINE, and then takes it on CUDA.

    ValueError for anything but "auto", "on" and "off".
    """
    for name, value in (("The engine", asked), (VARIABLE, os.environ.get(VARIABLE, "auto"))):
        if value not in CHOICES:
            raise ValueError(f"{name} is one of {', '.join(CHOICES)}, got {value!r}.")
    if asked == "auto":
        asked = os.environ.get(VARIABLE, "auto")
    on_zero = os.environ.get(_ZERO, "").lower() in ("1", "t", "true")
    return asked == "on" or (asked == "auto" and device.startswith("cuda") and not on_zero)


def switch_on(model: PTPModel, capture: Capture | None = None) -> str | None:
    """Lets the engine make the model's calls, if it can; else says why not, in a sentence.

    capture: as Engine's; by default CUDA graphs where the model lies on a GPU.
    """
    why = obstacle(model)
    if why is None:
        if capture is None and model.device.type == "cuda":
            capture = cuda_graph
        engine = Engine(model, capture)
        try:
            why = check(model, engine)
        except Exception as error:  # of a driver, a library or the memory: the model can decode without
            why = f"It failed its check ({reason(error)})."
    if why is not None:
        return f"{model.name} decodes without the engine. {why}"
    model.engine = engine
    return None


def check(model: PTPModel, engine: Engine) -> str | None:
    """Why the engine's logits cannot be trusted, as a sentence; None if they are the model's own, twice alike."""

    class Owner:
        """Whoever holds the workspace."""

    owner = Owner()
    workspace = engine.lend(owner, _CHECK_ROWS, _CHECK_LENGTH)
    own = model.target_logits(_PROBE)
    found = [_probe(workspace) for _ in range(2)]
    if not torch.equal(*found):
        return "Its logits differ from one run to the next."
    if not float((found[0] - own).norm() / own.norm()) < _TOLERANCE[model.dtype]:
        return "Its logits differ from the model's own."
    return None


def one_row(model: PTPModel) -> Engine | None:
    """An engine with calls of a single row, the best shape for plain decoding; None where the model has no engine."""
    return Engine(model, model.engine.capture, one_row=True) if model.engine is not None else None


@contextmanager
def engine_is(model: PTPModel, engine: Engine | None) -> Iterator[None]:
    """Meanwhile the model decodes by this engine."""
    kept, model.engine = model.engine, engine
    try:
        yield
    finally:
        model.engine = kept


@torch.inference_mode()
def _probe(workspace: Workspace) -> torch.Tensor:
    """Logits (len(_PROBE), V): half of the rows behind a text that was read, and the same with nothing before."""
    half = len(_PROBE) // 2
    workspace.cache.keep(0)
    first = workspace.logits(_PROBE[:half]).clone()
    workspace.cache.keep(0)
    workspace.read(_PROBE[:half])
    return torch.cat([first, workspace.logits(_PROBE[half:])])
