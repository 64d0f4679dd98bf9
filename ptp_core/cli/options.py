"""What commands share: options from a configuration dataclass (each default has one home), progress, loading."""

from __future__ import annotations

import argparse
import sys
import types
import typing
from dataclasses import MISSING, fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..decoding.settings import DRAFT_RULES
from ..engine.switch import CHOICES
from ..sampling import SamplingConfig

if TYPE_CHECKING:
    from ..model.ptp_model import PTPModel

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser, config: type, skip: tuple[str, ...] = ()) -> None:
    """An option --field-name for every field: a flag for bool, comma-separated values for tuples."""
    hints = typing.get_type_hints(config)
    for field in fields(config):
        if field.name in skip:
            continue
        name, kind = f"--{field.name.replace('_', '-')}", _plain(hints[field.name])
        required = field.default is MISSING and field.default_factory is MISSING
        if kind is bool:
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=field.default)
        elif typing.get_origin(kind) is tuple:
            item = typing.get_args(kind)[0]
            shown = ",".join(map(str, field.default if field.default is not MISSING else ()))
            parser.add_argument(name, default=None, metavar=shown, type=partial(_split, item))
        else:
            default = None if required else field.default
            parser.add_argument(name, type=kind, default=default, required=required, metavar=str(default))


def from_options(config: type[T], options: argparse.Namespace, **given: Any) -> T:
    """The dataclass from parsed options; fields that are neither given nor an option keep their default."""
    values = {f.name: getattr(options, f.name) for f in fields(config) if getattr(options, f.name, None) is not None}  # type: ignore[arg-type]
    return config(**{**values, **given})


def _split(item: type, text: str) -> tuple[Any, ...]:
    return tuple(item(part) for part in text.split(","))


def _plain(hint: Any) -> Any:
    """The type behind `X | None`."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint


def model_options(parser: argparse.ArgumentParser) -> None:
    """Which model and adapter, where and in which dtype."""
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--adapter", help='folder or hub id, or "none"')
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", help="float32 (default: all methods agree exactly) or bfloat16")
    parser.add_argument(
        "--engine", default="auto", choices=CHOICES, help="calls of one fixed shape; auto: where there is CUDA"
    )


def sampling_options(parser: argparse.ArgumentParser) -> None:
    """Seed, length, sampling and budget of a decoding run."""
    defaults = SamplingConfig()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=defaults.temperature)
    parser.add_argument("--top-k", type=int, default=defaults.top_k, help="0: off")
    parser.add_argument("--top-p", type=float, default=defaults.top_p, help="1: off")
    parser.add_argument("--num-speculative-tokens", type=int)
    parser.add_argument("--draft-budget", default="auto", help='u-slots per call, or "auto"')
    parser.add_argument(
        "--draft-rule", choices=DRAFT_RULES, default=DRAFT_RULES[0],
        help="how slots without u draft: their likeliest token, or Pick(u, their distribution)",
    )  # fmt: skip


def parsed_budget(text: str) -> int | str:
    """--draft-budget as the decoders take it; ValueError for anything else."""
    if text != "auto" and not text.isdigit():
        raise ValueError(f'--draft-budget is "auto" or a whole number, got {text!r}.')
    return text if text == "auto" else int(text)


def load_for(options: argparse.Namespace, **changes: bool) -> PTPModel:
    """The model that the command's options name, loaded with a progress bar."""
    from ..storage.load import load_model

    with Bar() as bar:
        return load_model(
            options.model, options.adapter, device=options.device, dtype=options.dtype,
            engine=getattr(options, "engine", "off"), progress=bar.update, **changes,
        )  # fmt: skip


class Bar:
    """A progress bar on standard error, on a terminal and only for what takes a while."""

    def __enter__(self) -> Bar:
        from tqdm import tqdm

        self._bar = tqdm(total=100, unit="%", leave=False, delay=2, disable=not sys.stderr.isatty())
        return self

    def update(self, share: float, text: str) -> None:
        self._bar.set_description(text)
        self._bar.update(int(100 * share) - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
