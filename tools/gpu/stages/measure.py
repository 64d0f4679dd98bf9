"""The second call: the default target on this machine. Same texts as on the CPU? What does a call cost? How fast?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ptp_core import NoiseTape, first_divergence, generate
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.environment import environment
from ptp_core.benchmark.result import BenchResult
from ptp_core.benchmark.runner import Lineup, iter_bench
from ptp_core.decoding.measure_costs import measure_cost_curve, measure_draft_costs
from ptp_core.methods import AHEAD_METHOD, BASELINE, TABLE

from ..clock import Budget
from ..day import Day
from ..models import model_of, questions_of, write_tiny
from ..parts import restore
from .counting import CountingBench

DTYPES = ("float32", "bfloat16")


def restore_parts(day: Day, budget: Budget) -> None:
    """Target and adapter from the parts; the rehearsal writes its own."""
    if day.settings.tiny:
        write_tiny(day)
        return
    restore(day.parts, day.cache, day.adapters)


def prompts(day: Day, budget: Budget) -> None:
    """The first questions by ar: the device's texts in both dtypes beside the CPU's in float32."""
    questions = questions_of(day, day.settings.prompts)
    models = {"cpu float32": model_of(day, "cpu", "float32")}
    models |= {f"device {dtype}": model_of(day, day.device, dtype) for dtype in DTYPES}
    places: dict[str, list[int | None]] = {name: [] for name in models}
    for i, question in enumerate(questions):
        if budget.over:
            break
        texts = {}
        for name, model in models.items():
            ids = model.encode(question.prompt, chat=True)[-model.max_context // 2 :]
            limit = day.settings.max_new_tokens
            texts[name] = generate(model, ids, BASELINE, NoiseTape(i), max_new_tokens=limit, details=False).tokens
            places[name].append(first_divergence(texts["cpu float32"], texts[name]))
        told = {name: _told(found) for name, found in places.items()}
        day.found("prompts", asked=i + 1, parted_from_the_cpu=told)


def _told(places: list[int | None]) -> dict[str, Any]:
    parted = [place for place in places if place is not None]
    return {"texts": len(places), "parted": len(parted), "at_tokens": parted}


def costs(day: Day, budget: Budget) -> None:
    """Milliseconds of a call by its rows, and of a shallow draft, in both dtypes."""
    for dtype in DTYPES:
        model = model_of(day, day.device, dtype)
        found: dict[str, Any] = {"curve": asdict(measure_cost_curve(model))}
        if model.shallow is not None:
            found["shallow"] = asdict(measure_draft_costs(model, TABLE[AHEAD_METHOD].needs))
        day.found("costs", **{dtype: found})


def speed_float32(day: Day, budget: Budget) -> None:
    """All methods on the dev questions, in float32."""
    _speed(day, budget, "float32")


def speed_bfloat16(day: Day, budget: Budget) -> None:
    """The same in bfloat16."""
    _speed(day, budget, "bfloat16")


def _speed(day: Day, budget: Budget, dtype: str) -> None:
    settings = day.settings
    config = BenchConfig(settings.methods, settings.max_new_tokens, repeats=settings.repeats)
    day.found(f"speed {dtype}", **bench(day, budget, f"speed-{dtype}", dtype, config, settings.questions))


def bench(
    day: Day, budget: Budget, file: str, dtype: str, config: BenchConfig, count: int, timed: bool = True, **model: Any
) -> dict[str, Any]:
    """As many questions as the time allows; writes the result as `python -m ptp_core results` reads it. A summary.

    Timed answers are decoded one by one, others many at once.
    """
    questions = questions_of(day, count)
    lineup = Lineup(model_of(day, day.device, dtype, **model))
    out = day.store / "bench" / f"{file}.json.gz"
    kept_rows = out.with_suffix(".rows.jsonl")
    kept_rows.unlink(missing_ok=True)  # a stage that was cut short measures anew
    rows, total = [], 0
    answers = None if timed else CountingBench(lineup, config, lambda: budget.over, questions)
    for progress in iter_bench(lineup, questions, config, kept_rows, lambda: budget.over, answers):
        total = progress.total
        rows += [progress.row] if progress.row else []
        day.tick()
    result = BenchResult(environment(lineup.model), config, questions, rows, len(rows) == total)
    result.to_json(out)
    kept = (
        "num_questions",
        "tokens_per_call",
        "ms_per_token",
        "speedup_vs_ar",
        "speedup_vs_own_shape",
        "speedup_vs_hf",
        "identical_to_ar",
    )
    figures = {method: {key: found.get(key) for key in kept} for method, found in result.methods.items()}
    return {"answers": len(rows), "of": total, "methods": figures}
