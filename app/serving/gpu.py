"""GPU time on a ZeroGPU Space, where a function that needs the GPU runs in a process of its own.

All that goes into such a function and comes out of it is pickled. On any other machine it is a plain function.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import gradio as gr

from .values import REFUSALS, sentence

F = TypeVar("F", bound=Callable[..., Any])
_SECONDS, _SECONDS_PER_CALL = 6.0, 0.03  # estimates: for a process with the model on its GPU, and for a model call


def on_zero() -> bool:
    """Whether this is a ZeroGPU Space: its main process has no GPU, although it looks as if it had one."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def gpu_seconds(num_calls: int) -> int:
    """The GPU time, in seconds, that is asked for so many model calls. A text takes a call a token at most."""
    return round(_SECONDS + _SECONDS_PER_CALL * num_calls)


def on_gpu(seconds: Callable[..., int]) -> Callable[[F], F]:
    """On a ZeroGPU Space, runs a function where the GPU is, for seconds(*its arguments); elsewhere does nothing.

    There a refusal becomes a ValueError with the same sentence. So does what the platform says, for example that no
    GPU is free.
    """

    def mark(function: F) -> F:
        if not on_zero():
            return function
        return _steps_on_gpu(function, seconds) if inspect.isgeneratorfunction(function) else _on_gpu(function, seconds)

    return mark


@dataclass(frozen=True)
class _Refusal:
    """A refusal on its way to the main process. Exceptions do not get there as they are."""

    sentence: str


def _on_gpu(function: Any, seconds: Callable[..., int]) -> Any:
    import spaces

    @spaces.GPU(duration=seconds)
    @wraps(function)
    def there(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except REFUSALS as error:
            return _Refusal(sentence(error))

    @wraps(function)
    def here(*arguments: Any) -> Any:
        try:
            return _checked(there(*arguments))
        except gr.Error as error:
            raise ValueError(str(error.message)) from None

    return here


def _steps_on_gpu(function: Any, seconds: Callable[..., int]) -> Any:
    import spaces

    @spaces.GPU(duration=seconds)
    @wraps(function)
    def there(*arguments: Any) -> Iterator[Any]:
        try:
            yield from function(*arguments)
        except REFUSALS as error:
            yield _Refusal(sentence(error))

    @wraps(function)
    def here(*arguments: Any) -> Iterator[Any]:
        try:
            with closing(there(*arguments)) as parts:
                for part in parts:
                    yield _checked(part)
        except gr.Error as error:
            raise ValueError(str(error.message)) from None

    return here


def _checked(part: Any) -> Any:
    """What came from the other process; ValueError if it is a refusal."""
    if isinstance(part, _Refusal):
        raise ValueError(part.sentence)
    return part
