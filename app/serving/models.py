"""Loaded models: which one a visitor means, and loading it with progress.

Models are loaded lazily, in a thread, so that a visitor sees progress and can leave. On a ZeroGPU Space the default
model is loaded by the main thread before the server starts, and there is no other. Decoding itself is serialised by
Gradio's queue: everything that runs a model has one concurrency id (line.py).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptp_core.decoding.measure_costs import cost_curve
from ptp_core.folders import adapters_folder
from ptp_core.maps.contexts import Contexts
from ptp_core.model.ptp_model import PTPModel
from ptp_core.storage.built_in import BUILT_IN, DEFAULT, is_here
from ptp_core.storage.default_target import Progress
from ptp_core.storage.load import load_model
from ptp_core.trace import Trace

from .gpu import on_zero
from .line import LINE
from .values import Event

_POLL_SECONDS = 0.2
_KEPT_OWN = 1  # models that visitors brought; the lab's own never leave


def models_allowed() -> bool:
    """Whether visitors may load models and adapters of their own: not on a public Space, unless told so.

    Never on ZeroGPU, where weights reach the GPU only if they were loaded before the server started.
    """
    if on_zero():
        return False
    switch = os.environ.get("PTP_LAB_OWN_MODELS")
    return switch != "0" if switch is not None else "SPACE_ID" not in os.environ


@dataclass(frozen=True)
class ModelChoice:
    """Which model a visitor's runs use; None means the default."""

    name: str | None = None
    adapter: str | None = None
    dtype: str = "auto"

    @classmethod
    def parse(cls, name: str | None = "", adapter: str | None = "", dtype: str = "float32") -> ModelChoice:
        """What a visitor typed. An empty field and "default" mean the default; where visitors may bring no model,
        so does everything else."""
        if not models_allowed():
            return cls()
        return cls(_typed(name), _typed(adapter), _DTYPES.get(dtype, dtype))

    @property
    def text(self) -> str:
        """What the browser keeps and sends with each run; the inverse of `of_text`."""
        return json.dumps([self.name, self.adapter, self.dtype])

    @classmethod
    def of_text(cls, text: str) -> ModelChoice:
        """The choice that the browser sent; an empty text is the default. ValueError with a sentence otherwise."""
        try:
            name, adapter, dtype = json.loads(text) if text else (None, None, "auto")
            return cls.parse(name, adapter, dtype)
        except (ValueError, TypeError, AttributeError):
            raise ValueError("The page sent no model that can be read. Reload it.") from None


def model_for(choice: ModelChoice, name: str) -> ModelChoice:
    """The built-in model of this name; the default's name stands for the visitor's own model, where there is one."""
    return choice if name == DEFAULT else ModelChoice(name)


def model_of(choice: ModelChoice, trace: Trace) -> ModelChoice:
    """What goes on with a text: the built-in model that wrote it, else the visitor's own or the default."""
    return model_for(choice, trace.model if trace.model in BUILT_IN and is_here(trace.model) else DEFAULT)


def _typed(text: str | None) -> str | None:
    wanted = (text or "").strip()
    return None if wanted in ("", "default") else wanted


_DTYPES = {"float32": "auto"}  # "auto" is float32 too, and one choice has one name


_BUILT_IN = (ModelChoice(), *(ModelChoice(name) for name in BUILT_IN if name != DEFAULT and is_here(name)))


def files_stamp(choice: ModelChoice) -> tuple[Any, ...]:
    """Names, sizes and times of the files in a choice's own folders: others mean that a folder has changed."""
    named = [choice.name, choice.adapter, choice.adapter and adapters_folder() / choice.adapter]
    folders = {Path(name).absolute(): None for name in named if name and Path(name).is_dir()}
    try:
        files = [(str(path), path.stat()) for folder in folders for path in sorted(folder.iterdir())]
    except OSError:  # it changes at this moment
        return (time.monotonic(),)
    return tuple((name, found.st_size, found.st_mtime_ns) for name, found in files)


class _Loading:
    """One load in a thread: its progress, then its model or its error, and what is read of texts by that model.

    On ZeroGPU it is no thread, and the load is done at once: weights that a thread loads do not reach the GPU.
    """

    def __init__(self, choice: ModelChoice, load: Callable[..., PTPModel]) -> None:
        self.progress = (0.0, "starting")
        self.stamp = files_stamp(choice)
        self.model: PTPModel | None = None
        self.contexts = Contexts()
        self.error: Exception | None = None
        self._choice, self._load = choice, load
        self._thread = threading.Thread(target=self._work, daemon=True)
        if on_zero():
            self._work()
        else:
            self._thread.start()

    def _work(self) -> None:
        try:
            self.model = self._load(
                self._choice.name, self._choice.adapter, dtype=self._choice.dtype, progress=self._report
            )
        except Exception as error:  # shown to whoever waits for it
            self.error = error

    def _report(self, share: float, text: str) -> None:
        self.progress = (share, text)

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()


def load_measured(*choice: Any, progress: Progress, **options: Any) -> PTPModel:
    """load_model, and then what a first run would otherwise wait for: the machine's cost curve.

    On ZeroGPU there is nothing to measure yet, and weights go by way of the CPU: transformers reads them in threads.
    """
    model = load_model(*choice, progress=progress, cpu_first=on_zero(), **options)
    if model.adapter and not on_zero():
        progress(0.99, "measuring what a call costs here")
        LINE.expect(2 * cost_curve(model).ms(1) / 1000)  # a race of two lanes, at a call a token
    return model


class ModelShelf:
    """Loaded models; at most a few, the lab's own never leave. A folder that has changed on disk is loaded anew."""

    def __init__(self, load: Callable[..., PTPModel] = load_measured) -> None:
        self._load = load
        self._loadings: OrderedDict[ModelChoice, _Loading] = OrderedDict()
        self._lock = threading.Lock()

    def preload(self) -> None:
        """Begins to load the default model, so that the first visitor need not wait for it.

        On ZeroGPU all of the lab's models are loaded, and it returns when they are there. It raises the load's own
        error, since no later load could help.
        """
        for choice in _BUILT_IN if on_zero() else _BUILT_IN[:1]:
            entry = self._entry(choice)
            if on_zero() and entry.error is not None:
                raise entry.error

    def loading(self, choice: ModelChoice) -> Iterator[tuple[float, str]]:
        """Yields progress until the model is there; then `get` returns it. Raises the load's own error."""
        yield from self._wait(choice, self._entry(choice))

    def _wait(self, choice: ModelChoice, entry: _Loading) -> Iterator[tuple[float, str]]:
        while not entry.is_done:
            yield entry.progress
            time.sleep(_POLL_SECONDS)
        if entry.error is not None:
            with self._lock:
                self._loadings.pop(choice, None)  # so that the next try starts anew
            raise entry.error

    def get(self, choice: ModelChoice) -> PTPModel:
        """The model, waiting for it if it is still being loaded."""
        entry = self._entry(choice)
        for _ in self._wait(choice, entry):
            pass
        assert entry.model is not None
        return entry.model

    def contexts(self, choice: ModelChoice) -> Contexts:
        """What was read of texts by this model; it is forgotten with the model."""
        return self._entry(choice).contexts

    def loading_events(self, choice: ModelChoice) -> Iterator[Event]:
        """As `loading`, as events of a page: loading (share, text)."""
        for share, text in self.loading(choice):
            yield {"event": "loading", "share": share, "text": text}

    def is_loaded(self, choice: ModelChoice) -> bool:
        entry = self._loadings.get(choice)
        return entry is not None and entry.is_done and entry.error is None

    def _entry(self, choice: ModelChoice) -> _Loading:
        with self._lock:
            there = self._loadings.get(choice)
            if there is None or (there.is_done and there.stamp != files_stamp(choice)):
                self._loadings[choice] = _Loading(choice, self._load)
                self._forget_oldest(choice)
            self._loadings.move_to_end(choice)
            return self._loadings[choice]

    def _forget_oldest(self, newest: ModelChoice) -> None:
        own = [choice for choice in self._loadings if choice not in _BUILT_IN]
        for choice in own[: len(own) - _KEPT_OWN]:
            if choice != newest and self._loadings[choice].is_done:
                del self._loadings[choice]
