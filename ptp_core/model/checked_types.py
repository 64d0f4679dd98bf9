"""Whether the fields of a configuration hold what their types say. Files that others edit may hold anything."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def check_types(config: Any) -> None:
    """ValueError with a sentence for the first field of a dataclass that holds something else."""
    kinds: dict[str, Any] = _kinds(type(config))  # type: ignore[arg-type]
    for name, kind in kinds.items():
        value = getattr(config, name)
        if not _fits(value, kind):
            shown = repr(value)
            shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
            raise ValueError(f"The setting {name} cannot be {shown}.")


@cache
def _kinds(config: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(config)
    return {field.name: hints[field.name] for field in fields(config)}


def _fits(value: Any, kind: Any) -> bool:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        wanted = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
        return len(value) == len(wanted) and all(map(_fits, value, wanted))
    if isinstance(kind, type) and is_dataclass(kind):
        return isinstance(value, kind)
    if origin is not None:  # a Mapping
        return isinstance(value, Mapping) and all(_fits(part, parts[1]) for part in value.values())
    if kind is Any:
        return True
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return isinstance(value, kind)
