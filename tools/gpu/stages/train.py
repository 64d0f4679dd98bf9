"""The third call: the target writes data, an adapter is trained on it, evaluated, calibrated and counted."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ptp_core import SamplingConfig, load_adapter
from ptp_core.benchmark.config import BenchConfig
from ptp_core.storage.adapter_files import rewrite_config
from ptp_core.training.calibrate import calibrate, calibrate_shallow, with_calibration
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation, load_conversations, split_held_out
from ptp_core.training.evaluate import evaluate
from ptp_core.training.run_state import RunState
from ptp_core.training.train import SaveAdapter, train
from ptp_core.training.writing import DataRecipe, generate_data

from ..clock import Budget
from ..day import Day
from ..models import adapter_of, model_of, name_of, source_of
from .measure import bench

_EVALUATION = 0.12  # of the training stage's time, for what a run does beside its steps


def write_data(day: Day, budget: Budget) -> None:
    """Shard by shard until the next one would not be done in time."""
    model = model_of(day, day.device, "bfloat16", quick=False)
    recipe = {"source": source_of(day), **day.settings.recipe}
    shards, longest = recipe.pop("conversations") // recipe["shard_size"], 0.0
    began = time.monotonic()
    for number in range(1, shards + 1):
        if number > 1 and budget.left < longest:
            break
        start = time.monotonic()
        generate_data(model, DataRecipe(conversations=number * recipe["shard_size"], **recipe), day.data)
        longest = max(longest, time.monotonic() - start)
        rows = load_conversations(day.data)
        tokens = sum(len(row.ids) - row.p for row in rows)
        speed = tokens / (time.monotonic() - began)
        day.found("writing", shards=number, conversations=len(rows), answer_tokens=tokens, answer_tokens_per_s=speed)


def train_adapter(day: Day, budget: Budget) -> None:
    """Trains on from the day's adapter; the newest adapter is in OUT every minute."""
    settings = {"minutes": budget.left * (1 - _EVALUATION) / 60, **day.settings.training}
    config = TrainConfig(
        data=str(day.data), out=str(day.run_folder), model=name_of(day), init=str(adapter_of(day)), device=day.device,
        **settings,
    )  # fmt: skip
    day.found("training", config=asdict(config))

    def watch(state: RunState, save: SaveAdapter) -> None:
        if day.outbox.is_due or state.step == 1:
            save(day.run_folder / "newest")
        speed = state.targets / max(state.seconds, 1e-9)
        day.found("training", steps=state.step, targets=state.targets, targets_per_s=speed, best=state.best)

    result = train(config, watch)
    day.found("training", evaluation=result.to_json())


def trained(day: Day) -> Path:
    """The best adapter of the run, or the newest where none was evaluated."""
    found = day.trained_adapter()
    if found is None:
        raise FileNotFoundError("No adapter was trained.")
    return found


def held_out(day: Day) -> list[Conversation]:
    return split_held_out(load_conversations(day.data))[1]


def evaluate_adapter(day: Day, budget: Budget) -> None:
    """Start and end on the same held-out conversations, in float32, a few at a time until the time is over."""
    rows, step = held_out(day), 10
    folders = {"before": adapter_of(day), "after": trained(day)}
    models = {name: model_of(day, day.device, "float32", folder, quick=False) for name, folder in folders.items()}
    sums: dict[str, list[tuple[float, int]]] = {name: [] for name in models}
    for start in range(0, len(rows), step):
        if start and budget.over:
            break
        for name, model in models.items():
            found = evaluate(model, rows[start : start + step], seed=start)
            sums[name].append((found.tokens_per_call, found.calls))
            day.tick()
        told = {name: _mean(found) for name, found in sums.items()}
        day.found("evaluation", conversations=min(start + step, len(rows)), tokens_per_call=told)


def _mean(found: list[tuple[float, int]]) -> float:
    """Tokens per call over all calls."""
    return sum(value * calls for value, calls in found) / max(sum(calls for _, calls in found), 1)


def calibrate_adapter(day: Day, budget: Budget) -> None:
    """Measures what the drafts are worth and writes it into the adapter's configuration."""
    folder = trained(day)
    model = model_of(day, day.device, "float32", folder)
    config, rows = model.require_adapter(), held_out(day)[: day.settings.calibration_rows]
    prompts = [row.ids[: row.p] for row in rows]
    samplings = [SamplingConfig(row.temperature, order=config.order) for row in rows]
    found = calibrate(model, prompts, samplings)
    day.tick()
    unchained = calibrate(model, prompts, samplings, chained=False) if config.chain else None
    day.tick()
    shallow = calibrate_shallow(model, prompts, samplings) if config.shallow else None
    rewrite_config(folder, with_calibration(load_adapter(folder).config, found, unchained, shallow))
    kinds: dict[str, Any] = {"slots": found, "unchained": unchained, "shallow": shallow}
    runs = {name: list(each.draft_run) for name, each in kinds.items() if each is not None}
    day.found("calibrating", draft_run=runs)


def count(day: Day, budget: Budget) -> None:
    """The new adapter on the dev questions, with a fixed budget: tokens per call."""
    settings = day.settings
    config = BenchConfig(settings.counted, settings.max_new_tokens, draft_budget=settings.draft_budget)
    bench(day, budget, "counts", "trained", "float32", config, 6 * settings.questions, adapter=trained(day))
