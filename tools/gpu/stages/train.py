"""The third call: the target writes data; adapters are trained on it, evaluated, calibrated and counted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from ptp_core import SamplingConfig, load_adapter
from ptp_core.benchmark.config import BenchConfig
from ptp_core.methods import AHEAD, AHEAD_METHODS, BASELINE, BLIND_METHOD, PAPER_METHOD, TABLE
from ptp_core.model.config import U_BLIND, AdapterConfig
from ptp_core.model.parts import PARTS
from ptp_core.storage.adapter_files import rewrite_config, store_adapter
from ptp_core.training.calibrate import calibrate, calibrate_shallow, with_calibration
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation, load_conversations, split_held_out
from ptp_core.training.evaluate import evaluate
from ptp_core.training.objectives import OBJECTIVES, Objective
from ptp_core.training.run_state import RunState
from ptp_core.training.train import SaveAdapter, train
from ptp_core.training.writing import DataRecipe, generate_data

from ..clock import Budget
from ..day import Day
from ..models import adapter_of, model_of, name_of, source_of
from ..settings import Training
from .measure import bench

_FEWER = 4  # what is decoded one by one is calibrated on a quarter of the texts
_EVALUATION = 0.08  # of the training stage's time, for what a run does beside its steps


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


def stage_of(training: Training) -> str:
    return f"training {training.name}"


def train_adapter(training: Training, day: Day, budget: Budget) -> None:
    """One of the settings' trainings; the newest adapter is in OUT every minute."""
    out, stage = day.run_folder(training.name), stage_of(training)
    settings = {"minutes": budget.left * (1 - _EVALUATION) / 60, **day.settings.training, **training.changes}
    config = TrainConfig(
        data=str(day.data), out=str(out), model=name_of(day), init=str(adapter_of(day)) if training.continues else None,
        device=day.device, **settings,
    )  # fmt: skip
    day.found(stage, config=asdict(config))

    def watch(state: RunState, save: SaveAdapter) -> None:
        if day.outbox.is_due or state.step == 1:
            save(out / "newest")
            make_small(out, out / "newest", parts_of(training))
        speed = state.targets / max(state.seconds, 1e-9)
        day.found(stage, steps=state.step, targets=state.targets, targets_per_s=speed, best=state.best)

    result = train(config, watch)
    make_small(out, trained(day, training), parts_of(training))
    day.found(stage, evaluation=result.to_json())


def objective_of(training: Training) -> Objective:
    return OBJECTIVES[str(training.changes.get("objective", TrainConfig.objective))]


def parts_of(training: Training) -> tuple[str, ...]:
    """The parts of its adapter that the start does not hold: those that were trained, or all."""
    return tuple(objective_of(training).parts) if training.continues else tuple(PARTS)


def make_small(run: Path, adapter: Path, parts: Collection[str] = tuple(PARTS)) -> None:
    """Puts these parts of the adapter into run/small, in eight bits, with its configuration.

    At every moment one of small and small.old is whole.
    """
    small, old, aside = run / "small", run / "small.old", run / "small.part"
    store_adapter(adapter, aside)
    for name in set(PARTS) - set(parts):
        (aside / PARTS[name].file).unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)
    if small.exists():
        small.rename(old)
    aside.rename(small)


def trained(day: Day, training: Training) -> Path:
    """The best adapter of the run, or the newest where none was evaluated."""
    found = day.trained_adapters().get(training.name)
    if found is None:
        raise FileNotFoundError(f"No adapter was trained: {training.name}.")
    return found


def there(day: Day) -> list[Training]:
    """The trainings that gave an adapter."""
    found = [training for training in day.settings.trainings if training.name in day.trained_adapters()]
    if not found:
        raise FileNotFoundError("No adapter was trained.")
    return found


def held_out(day: Day) -> list[Conversation]:
    return split_held_out(load_conversations(day.data))[1]


def evaluate_adapters(day: Day, budget: Budget) -> None:
    """Start and ends on the same held-out conversations, in float32, some at a time until the time is over."""
    rows, step = held_out(day), 32
    folders = {"before": adapter_of(day), **{each.name: trained(day, each) for each in there(day)}}
    readers = {each.name: objective_of(each).reader for each in there(day)}
    models = {name: model_of(day, day.device, "float32", folder, quick=False) for name, folder in folders.items()}
    sums: dict[str, list[tuple[float, int]]] = {name: [] for name in models}
    for start in range(0, len(rows), step):
        if start and budget.over:
            break
        for name, model in models.items():
            found = evaluate(model, rows[start : start + step], seed=start, reader=readers.get(name))
            sums[name].append((found.tokens_per_call, found.calls))
            day.tick()
        told = {name: _mean(found) for name, found in sums.items()}
        day.found("evaluation", conversations=min(start + step, len(rows)), tokens_per_call=told)


def _mean(found: list[tuple[float, int]]) -> float:
    """Tokens per call over all calls."""
    return sum(value * calls for value, calls in found) / max(sum(calls for _, calls in found), 1)


def calibrate_adapters(day: Day, budget: Budget) -> None:
    """Measures what the drafts are worth and writes it into the adapters' configurations."""
    rows = held_out(day)[: day.settings.calibration_rows]
    prompts = [row.ids[: row.p] for row in rows]
    for training in there(day):
        folder = trained(day, training)
        model = model_of(day, day.device, "float32", folder, quick=False)
        config = model.require_adapter()
        samplings = [SamplingConfig(row.temperature, order=config.order) for row in rows]
        method = method_of(training, config)
        if part := TABLE[method].needs if TABLE[method].drafts == AHEAD else "":
            few = slice(0, max(len(rows) // _FEWER, 1))  # such slots decode one text at a time
            found, raced = (
                calibrate_shallow(model, prompts[few], samplings[few], raced=race, method=method)
                for race in (False, True)
            )
            measured = with_calibration(load_adapter(folder).config, ahead={part: (found, raced)})
        else:
            found = calibrate(model, prompts, samplings, at_once=True)
            day.tick()
            unchained = calibrate(model, prompts, samplings, chained=False, at_once=True) if config.chain else None
            measured = with_calibration(load_adapter(folder).config, found, unchained)
        rewrite_config(folder, measured)
        make_small(day.run_folder(training.name), folder, parts_of(training))
        day.found("calibrating", **{training.name: list(found.draft_run)})
        if budget.over:
            break


def method_of(training: Training | None, config: AdapterConfig) -> str:
    """The method that drafts by what was trained; without a training, by the day's own adapter."""
    part = parts_of(training)[0] if training is not None else ""
    return AHEAD_METHODS.get(part) or (BLIND_METHOD if config.variant == U_BLIND else PAPER_METHOD)


def count(day: Day, budget: Budget) -> None:
    """The adapters on the dev questions, with a fixed budget: tokens per call. First the day's own.

    Slots that draft behind a call see no noise, so they race. Their answers are decoded one by one.
    """
    settings = day.settings
    asked: list[tuple[str, Path, Training | None]] = [("before", adapter_of(day), None)]
    asked += [(training.name, trained(day, training), training) for training in there(day)]
    for i, (name, folder, training) in enumerate(asked):
        method = method_of(training, load_adapter(folder).config)
        ahead = TABLE[method].drafts == AHEAD
        coupling = "gumbel" if ahead else "inverse_cdf"
        config = BenchConfig(
            (BASELINE, method), settings.max_new_tokens, draft_budget=settings.draft_budget, coupling=coupling
        )
        part = budget.part(1 / (len(asked) - i))
        file, options = f"trained-{name}", {"adapter": folder, "quick": False}
        found = bench(day, part, file, "float32", config, settings.counted, timed=ahead, **options)
        day.found("counts", **{name: found})
