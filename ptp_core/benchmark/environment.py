"""The machine, the model and the versions behind a figure."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..decoding.costs import CostCurve
from ..decoding.measure_costs import cost_curve, draft_costs, measure_cost_curve, measure_draft_costs
from ..decoding.thread_choice import Choice
from ..decoding.threads import call_threads
from ..methods import AHEAD, TABLE
from ..model.ptp_model import PTPModel

AHEAD_PARTS = sorted({row.needs for row in TABLE.values() if row.drafts == AHEAD})  # that draft behind calls


def environment(
    model: PTPModel, independent: PTPModel | None = None, assistant: str | None = None, fresh_costs: bool = True,
    choice: Choice | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What a result must say about where it was made.

    fresh_costs measures what a call costs, which takes some seconds. Without it, the costs that decoding plans by
    are taken, and none for a model without an adapter. choice: how the number of threads was found.
    """
    if fresh_costs:
        curve: CostCurve | None = measure_cost_curve(model)
        measured = {part: measure_draft_costs(model, part) for part in AHEAD_PARTS if model.offers(part)}
    else:
        curve = cost_curve(model) if model.adapter else None
        measured = {part: draft_costs(model, part) for part in AHEAD_PARTS if model.offers(part)}
    return {
        **identity(model, independent, assistant),
        "fast_cpu": model.is_fast,
        "engine": model.engine is not None,
        "thread_choice": choice.facts() if choice else None,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "cost_curve": asdict(curve) if curve else None,
        **{f"{part}_costs": asdict(measured[part]) if part in measured else None for part in AHEAD_PARTS},
    }


def identity(model: PTPModel, independent: PTPModel | None = None, assistant: str | None = None) -> dict[str, Any]:
    """What two results must share for their rows to stand in one table."""
    import transformers

    return {
        "model": model.name,
        "weights": model.weights_id,
        "adapter": adapter_facts(model),
        "independent_adapter": adapter_facts(independent) if independent else None,
        "assistant": assistant,
        "device": torch.cuda.get_device_name() if model.device.type == "cuda" else processor(),
        "threads": call_threads(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _part_facts(config: Any) -> dict[str, Any] | None:
    """What a part that drafts behind calls says about itself; None where there is none."""
    if config is None:
        return None
    kept = ("depth", "rank", "vocabulary", "window")
    return {**{name: getattr(config, name) for name in kept}, "draft_run": list(config.draft_run)}


def adapter_facts(model: PTPModel) -> dict[str, Any] | None:
    """An adapter's name, hash and the figures that the allocator plans with; None without an adapter."""
    if model.adapter is None:
        return None
    config = model.adapter
    return {
        "name": config.name,
        "sha256": model.adapter_sha256,
        "variant": config.variant,
        "window": config.window,
        "num_settled": config.num_settled,
        "chain": config.chain,
        **{part: _part_facts(getattr(config, part)) for part in AHEAD_PARTS},
        "draft_run": list(config.draft_run),
        "draft_run_rejected": list(config.draft_run_rejected),
        "draft_run_unchained": list(config.figures(chained=False).draft_run),
        "draft_run_picked": list(config.figures(draft_rule="pick").draft_run),
        "draft_run_picked_unchained": list(config.figures(chained=False, draft_rule="pick").draft_run),
        "draft_run_raced": list(config.figures(draft_rule="race").draft_run),
        "draft_run_raced_unchained": list(config.figures(chained=False, draft_rule="race").draft_run),
    }


def processor() -> str:
    """The CPU's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class PeakMemory:
    """Most memory that the process held since `reset`, in MB: the GPU's where the model lies on one, else what was
    resident. None where the system does not tell (resident peaks can be reset on Linux only)."""

    _CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

    def __init__(self, device: torch.device) -> None:
        self._gpus = range(torch.cuda.device_count()) if device.type == "cuda" else range(0)
        self._was_reset = False

    def reset(self) -> None:
        for gpu in self._gpus:
            torch.cuda.reset_peak_memory_stats(gpu)
        try:
            self._CLEAR.write_text("5")  # sets the peak to what is resident now
            self._was_reset = True
        except OSError:
            self._was_reset = False

    def read(self) -> int | None:
        if self._gpus:
            return sum(torch.cuda.max_memory_allocated(gpu) for gpu in self._gpus) >> 20
        if not self._was_reset:
            return None
        try:
            lines = self._STATUS.read_text().splitlines()
            return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))
        except (OSError, StopIteration):
            return None
