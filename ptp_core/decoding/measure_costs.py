"""What a call of n positions costs on this machine.

The curve is measured once per machine, device, dtype and model size, and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch

from ..folders import cache_folder
from ..model.attention import KVCache
from ..model.chain_head import NUM_BEFORE
from ..model.layout import call_layout
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..sampling import SamplingConfig
from ..trace import Draft
from .costs import CostCurve, DraftCosts
from .engine_calls import EngineCalls
from .settings import DecodeSettings
from .stopwatch import Laps
from .threads import begin_call, fixed_threads, measured_threads

T = TypeVar("T")
_SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
_CONTEXT = 128
_REPEATS = 5
_ROUNDS = 3  # so often numbers of threads take turns
_LARGE, _DRIFT = 16, 1.25  # a kept curve holds while a call of so many positions costs what it says, within this factor
_TRUST_SECONDS = 600.0  # for so long it is not tried again


@torch.inference_mode()
def measure_cost_curve(model: PTPModel) -> CostCurve:
    """Times calls as decoding makes them, with a context of 128 tokens.

    Where the model's own context has no room for that, fewer tokens are read and smaller calls timed.
    A call has real rows with logits. With an adapter it also has slots of one branch and their logits, or a chain of a
    whole window's drafts. Sizes take turns and the median counts, since a busy machine slows large calls more than
    small ones. The best of several would promise drafts a price that they do not get.
    """
    cache, _ = _read_context(model)
    sizes = _sizes(model)
    calls = [_prepare_call(model, cache, size) for size in sizes]
    for call in calls:
        call()
    rounds = [[_time(call) for call in calls] for _ in range(_REPEATS)]
    return CostCurve(sizes, tuple(median(times) for times in zip(*rounds, strict=True)))


def _context(model: PTPModel) -> int:
    """How many tokens are read before what is timed."""
    return max(min(_CONTEXT, model.max_context - max(_SIZES), model.max_context // 2), 1)


def _sizes(model: PTPModel) -> tuple[int, ...]:
    """The sizes of calls behind them for which the model's context has room; at least two."""
    room = model.max_context - _context(model)
    return tuple(size for size in _SIZES if size <= max(room, _SIZES[1]))


def _read_context(model: PTPModel) -> tuple[KVCache, torch.Tensor]:
    """A cache of _context tokens with room for a call behind them, and the last token's state (E,)."""
    length = _context(model)
    cache = model.new_cache(length + max(_SIZES))
    layout = call_layout(0, length, 0)
    hidden = model(_zeros(model, length), positions=layout.positions, mask=layout.mask, cache=cache)
    cache.keep(length)
    return cache, hidden[0, -1]


def _prepare_call(model: PTPModel, cache: KVCache, size: int) -> Callable[[], None]:
    """A call of `size` rows, a third of them drafts to verify."""
    real = 1 + (size - 1) // 3 if model.adapter else size
    slots = size - real
    layout = call_layout(cache.length, 1, real - 1, [(real - 1, slots)] if slots else [])
    tokens, u = _zeros(model, real), torch.full((slots,), 0.5)
    config = model.adapter
    chained = min(slots - config.num_settled, config.max_drafts) if config and config.chain else 0
    front = _zeros(model, NUM_BEFORE)

    def call() -> None:
        embedded = model.embed_slots(u, 0.7, tokens[0, :1], tokens[0, :1])[None] if slots else None
        hidden = model(tokens, embedded, positions=layout.positions, mask=layout.mask, cache=cache)[0]
        model.logits(hidden[:real] if model.chain is not None else hidden)[0].argmax().item()
        for _ in range(chained):  # one branch is kept and read
            model.chain_logits(hidden[-1:], front, hidden[:1])[0].argmax().item()

    return call


def _zeros(model: PTPModel, count: int) -> torch.Tensor:
    return torch.zeros(1, count, dtype=torch.long, device=model.device)


def _time(call: Callable[[], None]) -> float:
    with fixed_threads():
        begin_call()
        start = time.perf_counter()
        call()
    return 1e3 * (time.perf_counter() - start)


_LEAST_DRAFT = 0.01  # share of the first draft's time that a further one takes at least


def measurements_folder() -> Path:
    return cache_folder() / "cost"


def cost_curve(model: PTPModel) -> CostCurve:
    """The model's curve on this machine: from memory, from the cache folder, or measured now (some seconds).

    A kept curve may come from a time when the machine was busy, or idle. It is tried now and then, and
    measured anew where it no longer holds.
    """
    curve = _known(model, "curve", measure_cost_curve, CostCurve)
    measured = _measured(model)
    if time.monotonic() - measured.get("curve tried", -math.inf) > _TRUST_SECONDS:
        if not curve_holds(model, curve):
            forget(model, "curve")
            curve = _known(model, "curve", measure_cost_curve, CostCurve)
        measured["curve tried"] = time.monotonic()
    return curve


@torch.inference_mode()
def curve_holds(model: PTPModel, curve: CostCurve) -> bool:
    """Whether a call of _LARGE positions still takes as many times as long as a small one as the curve says."""
    cache, _ = _read_context(model)
    large = max(size for size in curve.positions if size <= _LARGE)
    calls = [_prepare_call(model, cache, size) for size in (1, large)]
    for call in calls:
        call()
    short, long = (median(times) for times in zip(*([_time(c) for c in calls] for _ in range(_REPEATS)), strict=True))
    drift = (long / short) / (curve.ms(large) / curve.ms(1))
    return 1 / _DRIFT < drift < _DRIFT


@torch.inference_mode()
def measure_draft_costs(model: PTPModel, part: str) -> DraftCosts:
    """Medians of calls and of drafts by this part of the adapter. They take turns, behind 128 tokens."""
    cache, hidden = _read_context(model)
    slots, few, many = model.require_part(part), 1, 5

    def call_of(rows: int) -> Callable[[], None]:
        if model.engine is not None:
            return _engine_call(model, rows)
        layout, tokens = call_layout(cache.length, 1, rows - 1), _zeros(model, rows)

        def call() -> None:
            out = model(tokens, positions=layout.positions, mask=layout.mask, cache=cache)[0]
            model.logits(out)[0].argmax().item()

        return call

    window = min(slots.config.window, many)  # slots that draft at once take as long as their whole window

    def drafts_of(count: int) -> Callable[[], None]:
        def draft() -> None:
            drafting = slots.drafting(hidden, [0.5] * window, 0.7, cache)
            for _ in range(count):
                drafting.next(0)[0].softmax(-1).max().item()

        return draft

    timed = (call_of(few), call_of(many), drafts_of(1), drafts_of(window))
    for each in timed:
        each()
    rounds = [[_time(each) for each in timed] for _ in range(2 * _REPEATS)]
    one, more, first, all_drafts = (median(times) for times in zip(*rounds, strict=True))
    draft = (all_drafts - first) / (window - 1) if window > 1 else first
    draft = max(draft, _LEAST_DRAFT * first)  # a small difference of two times may be measured as nothing
    return DraftCosts(one, max(more - one, 0.0) / (many - few), draft, max(first - draft, 0.0))


@torch.inference_mode()
def measure_threads(model: PTPModel, most: int) -> dict[int, float]:
    """Median milliseconds of a plain call with `most` threads and with one. They take turns, behind 128 tokens."""
    cache, _ = _read_context(model)
    call = _prepare_call(model, cache, 1)
    times: dict[int, list[float]] = {most: [], 1: []}
    for number in (most, 1) * _ROUNDS:
        with fixed_threads(number):
            _time(call)  # warms up: threads that slept must wake
            times[number] += [_time(call) for _ in range(_REPEATS)]
    return {number: median(found) for number, found in times.items()}


def _engine_call(model: PTPModel, rows: int) -> Callable[[], None]:
    """A call of the engine that verifies rows - 1 drafts."""
    sampling, settings = SamplingConfig(), DecodeSettings(details=False)
    length = _context(model)
    calls = EngineCalls(model, NoiseTape(0), sampling, settings, None, rows, length + rows)
    calls([0] * (length + 1), [], (), 0, Laps())
    calls.cache.keep(length)
    drafts = [Draft(0, "", 0.5, 0.5, 0.5, "pending")] * (rows - 1)

    def call() -> None:
        calls([0], drafts, (), 0, Laps())

    return call


def draft_costs(model: PTPModel, part: str) -> DraftCosts:
    """As cost_curve, for drafts that a part of the adapter makes behind a call."""
    return _known(model, part, lambda found: measure_draft_costs(found, part), DraftCosts)


def forget(model: PTPModel, kind: str) -> None:
    """Drops a measurement, so that the next use makes it anew."""
    _measured(model).pop(kind, None)
    _kept(model, kind).unlink(missing_ok=True)


def suppose(model: PTPModel, **costs: Any) -> None:
    """Replaces all that this process knows of the model's costs; what the cache folder keeps stays.

    costs: the "curve", and costs of drafts by their part's name. A curve given so is never tried. Without any, the
    process knows nothing.
    """
    trusted = {"curve tried": math.inf} if "curve" in costs else {}
    _KNOWN[model] = {**costs, **trusted}


_KNOWN: WeakKeyDictionary[PTPModel, dict[str, Any]] = WeakKeyDictionary()


def _measured(model: PTPModel) -> dict[str, Any]:
    """What this process knows of the model's costs."""
    return _KNOWN.setdefault(model, {})


def _kept(model: PTPModel, kind: str) -> Path:
    return measurements_folder() / f"{kind}-{_fingerprint(model)}.json"


def _known(model: PTPModel, kind: str, measure: Callable[[PTPModel], T], parse: Callable[..., T]) -> T:
    """A measurement of the model on this machine: from memory, from the cache folder, or made now."""
    known = _measured(model)
    if kind not in known:
        path = _kept(model, kind)
        try:
            raw = json.loads(path.read_text())
            known[kind] = parse(**{k: tuple(v) if isinstance(v, list) else float(v) for k, v in raw.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            known[kind] = measure(model)
            with suppress(OSError):  # a folder that cannot be written to: every process measures for itself
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(f".{os.getpid()}")
                part.write_text(json.dumps(asdict(known[kind])))
                part.replace(path)
    return known[kind]


def _fingerprint(model: PTPModel) -> str:
    adapter = [model.adapter.max_drafts, *model.part_sizes().items()] if model.adapter else []
    device = torch.cuda.get_device_name() if model.device.type == "cuda" else f"{platform.processor()}{os.cpu_count()}"
    size = (model.config.num_hidden_layers, model.config.hidden_size, model.config.vocab_size)
    parts = [model.name, size, model.is_fast, model.dtype, adapter, model.device.type, device]
    parts += [model.engine is not None, measured_threads(), torch.__version__, platform.node()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
