"""The engine on this machine: are rows and graphs right, what does a call cost and launch, how fast is decoding?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor

from ptp_core import METHODS, NoiseTape, PTPModel, SamplingConfig, generate
from ptp_core.benchmark.questions import Question
from ptp_core.benchmark.transformers_peers import Peers
from ptp_core.decoding.engine_calls import EngineCalls
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.decoding.slots import SlotRule, Slots
from ptp_core.decoding.stopwatch import Laps
from ptp_core.engine.engine import Engine
from ptp_core.engine.graphs import cuda_graph
from ptp_core.engine.shapes import ROWS
from ptp_core.engine.switch import engine_is
from ptp_core.methods import BASELINE, PAPER_METHOD, PEER
from ptp_core.sampling import COUPLINGS
from ptp_core.trace import Draft, first_divergence

from ..clock import Budget
from ..day import Day
from ..models import model_of, questions_of, random_model, tiny_model
from .check import DTYPES, milliseconds, require

_CONTEXT, _CALLS = 64, 11
_PROMPTS = ([3, 4, 5], [6, 2, 7, 8, 3, 4], [3, 4, 5, 6, 2, 7, 8])


def engine_of(day: Day, model: PTPModel, graphs: bool = True, one_row: bool = False) -> Engine:
    """A fresh engine of the model, with graphs where the day's device has them."""
    return Engine(model, cuda_graph if graphs and day.device.startswith("cuda") else None, one_row)


def exactness(day: Day, budget: Budget) -> None:
    """The tiny model by the engine: in float32 every text is the CPU's plain one; in bfloat16 all methods agree."""
    here, cases = tiny_model("cpu", chain=8), [(ids, seed) for seed, ids in enumerate(_PROMPTS)]
    for name, dtype in DTYPES.items():
        there = tiny_model(day.device, dtype, chain=8)
        there.engine = engine_of(day, there)
        wrong: Counter[str] = Counter()
        for coupling in COUPLINGS:
            sampling = SamplingConfig(0.7, 8, 0.95, coupling=coupling)
            for ids, seed in cases:
                options: dict[str, Any] = {"noise": NoiseTape(seed), "sampling": sampling, "max_new_tokens": 24}
                plain = generate(here if name == "float32" else there, ids, BASELINE, **options).tokens
                for method in METHODS:
                    found = generate(there, ids, method, **options, draft_budget=4).tokens
                    wrong[method] += found != plain
        day.found("engine exactness", **{name: {"cases": 2 * len(cases), "wrong": dict(wrong)}})
        require(not any(wrong.values()), f"{name}: {wrong}")


def rows_and_costs(day: Day, budget: Budget) -> None:
    """At full size with random weights: are rows their own? Do graphs give what they captured? What does a call cost by
    rows, columns and kind?"""
    for name, dtype in DTYPES.items():
        model = random_model(day, dtype, adapter=True)
        found = {"rows": _rows(day, model), "graphs_equal": _graphs_equal(day, model)}
        day.found("engine", **{name: found})
        found["ms"] = _costs(day, model, budget)
        found["launches"] = _launches(day, model)
        day.found("engine", **{name: found})
        require(found["graphs_equal"] is not False, f"{name}: a replay differs from the step that was captured")


def _calls(model: PTPModel, length: int, rows: int, slots: bool) -> EngineCalls:
    """The calls of a run without an end, for texts of `length` tokens."""
    noise, sampling = NoiseTape(3), SamplingConfig()
    by_slots = Slots(model, noise, sampling, SlotRule(chained=model.chain is not None)) if slots else None
    settings = DecodeSettings(num_speculative_tokens=min(rows - 1, 64), draft_budget=rows, details=False)
    return EngineCalls(model, noise, sampling, settings, by_slots, model.require_adapter().max_drafts, length)


def _drafts(tokens: Sequence[int]) -> list[Draft]:
    return [Draft(token, "", 0.5, 0.5, 0.1, "pending") for token in tokens]


def _text(model: PTPModel, count: int, seed: int) -> list[int]:
    drawn = torch.randint(int(model.config.vocab_size), (count,), generator=torch.Generator().manual_seed(seed))
    return [int(token) for token in drawn]


def _rows(day: Day, model: PTPModel) -> dict[str, Any]:
    """Rows of a text in one call, beside slots and foreign drafts, against each alone in a call of its own."""
    model.engine = engine_of(day, model)
    before, text = _text(model, _CONTEXT, 1), _text(model, 12, 2)

    def said(front: Sequence[int], tokens: Sequence[int], slots: int) -> tuple[Tensor, list[int]]:
        calls = _calls(model, 128, ROWS[0], True)
        reply = calls([*front, tokens[0]], _drafts(tokens[1:]), [(0, slots)] if slots else [], len(front), Laps())
        return reply.picked.logits.clone(), reply.picked.tokens

    among, picked = said(before, text, 0)
    beside, _ = said(before, text, 8)
    alone = [said([*before, *text[:i]], text[i : i + 1], 0) for i in range(len(text))]
    foreign = [said(before, [*text[: i + 1], *_text(model, 11 - i, 9)], 4)[0][i] for i in range(len(text))]
    lone = torch.stack([logits[0] for logits, _ in alone])
    return {
        "equal_alone": _share_equal(lone, among),
        "equal_beside_foreign_drafts": _share_equal(torch.stack(foreign), among),
        "equal_beside_slots": _share_equal(beside, among),
        "largest_difference": float((lone - among).abs().max()),
        "texts_read_alike": sum(lone_pick[0] == pick for (_, lone_pick), pick in zip(alone, picked, strict=True)),
        "texts": len(picked),
    }


def _share_equal(a: Tensor, b: Tensor) -> float:
    return float((a == b).all(-1).float().mean())


def _graphs_equal(day: Day, model: PTPModel) -> bool | None:
    """Whether replays give the very bits of the step as it runs; None where there are no graphs."""
    if not day.device.startswith("cuda"):
        return None
    found = []
    for graphs in (False, True):
        model.engine = engine_of(day, model, graphs)
        calls, text = _calls(model, 128, ROWS[0], True), _text(model, _CONTEXT, 1)
        reply = calls(text, [], [(0, 6)], 0, Laps())
        calls.cache.keep(_CONTEXT)
        again = calls(text[:1], _drafts(text[1:4]), [(0, 3), (3, 3)], 1, Laps())
        found.append((reply.picked.tokens, again.picked.tokens, again.picked.logits.clone(), reply.drawn))
    plain, replayed = found
    return plain[:2] == replayed[:2] and plain[3] == replayed[3] and bool(torch.equal(plain[2], replayed[2]))


def _costs(day: Day, model: PTPModel, budget: Budget) -> dict[str, float]:
    """Median milliseconds of calls: by rows with slots that are read, by columns, as they run, and of one row alone."""
    kinds: dict[str, tuple[dict[str, bool], int, int, bool]] = {
        f"{rows} rows, 256 columns": ({}, 100, rows, True) for rows in ROWS
    }
    kinds |= {f"16 rows, {columns} columns": ({}, columns - 100, ROWS[0], True) for columns in (512, 1024, 2048)}
    kinds["16 rows, no draft read"] = ({}, 100, ROWS[0], False)
    kinds["one row alone"] = ({"one_row": True}, 100, ROWS[0], False)
    kinds["16 rows, no graphs"] = ({"graphs": False}, 100, ROWS[0], True)
    found: dict[str, float] = {}
    for name, (how, length, rows, slots) in kinds.items():
        if budget.over or length > model.max_context:
            continue
        model.engine = engine_of(day, model, **how)
        call = _repeated(_calls(model, length, rows, slots), model, slots)
        found[name] = median(milliseconds(call, day.device) for _ in range(_CALLS))
        day.tick()
    return found


def _repeated(calls: EngineCalls, model: PTPModel, slots: bool) -> Callable[[], object]:
    """A call behind a short text, made twice already, so that it is captured."""
    text = _text(model, 32, 1)
    calls(text, [], (), 0, Laps())
    calls.cache.keep(len(text))
    spec = [(0, model.require_adapter().max_drafts)] if slots else []

    def call() -> object:
        return calls(text[:1], [], spec, 1, Laps())

    call()
    return call


def _launches(day: Day, model: PTPModel) -> dict[str, Any]:
    """What the profiler sees in a call: kernels, graphs, copies and waits; on the CPU, operations."""
    found: dict[str, Any] = {}
    for graphs in (True, False):
        model.engine = engine_of(day, model, graphs)
        call = _repeated(_calls(model, 100, ROWS[0], True), model, True)
        with torch.profiler.profile() as profile:
            call()
        names = Counter[str]()
        for event in profile.events():
            names["kernels" if event.device_type == torch.autograd.DeviceType.CUDA else event.name] += 1
        kept = {name: n for name, n in names.items() if name == "kernels" or name.startswith("cuda")}
        found["replayed" if graphs else "as it runs"] = kept or {"operations": sum(names.values())}
    return found


def texts(day: Day, budget: Budget) -> None:
    """The default target: texts of all methods by the engine, beside plain decoding by the engine and without it."""
    methods = [method for method in day.settings.methods if method not in (BASELINE, PEER)]
    questions = questions_of(day, day.settings.prompts)
    for dtype in DTYPES:
        model = model_of(day, day.device, dtype, engine="on")
        require(model.engine is not None, "; ".join(model.notes))
        engine, parted = model.engine, Counter[str]()
        for i, question in enumerate(questions):
            if budget.over:
                break
            options: dict[str, Any] = {
                "noise": NoiseTape(i), "max_new_tokens": day.settings.max_new_tokens, "details": False,
            }  # fmt: skip
            ids = model.encode(question.prompt, chat=True)[-model.max_context // 2 :]
            reference = generate(model, ids, BASELINE, **options).tokens
            for method in methods:
                found = generate(model, ids, method, **options).tokens
                parted[method] += first_divergence(reference, found) is not None
            model.engine = None
            parted["without the engine"] += (
                first_divergence(reference, generate(model, ids, BASELINE, **options).tokens) is not None
            )
            model.engine = engine
            day.found("engine texts", **{dtype: {"texts": i + 1, "parted": dict(parted)}})


def shapes(day: Day, budget: Budget) -> None:
    """Milliseconds a token on the dev questions, by all in turn. Plain decoding: by the engine in the shape of all
    methods, in its own best shape, and without the engine. Beside it PQD and transformers' generate."""
    for dtype in DTYPES:
        model = model_of(day, day.device, dtype, engine="on")
        engines = {"same shape": model.engine, "own best shape": engine_of(day, model, one_row=True), "no engine": None}
        runs: dict[str, Callable[[Question, list[int], int], tuple[int, float]]] = {
            f"{BASELINE}, {name}": _run_of(day, model, engine, BASELINE) for name, engine in engines.items()
        }
        runs[f"{PAPER_METHOD}, engine"] = _run_of(day, model, model.engine, PAPER_METHOD)
        runs[PEER] = _peer(day, Peers(model))
        times: dict[str, list[float]] = {name: [] for name in runs}
        for i, question in enumerate(questions_of(day, day.settings.questions)):
            ids = model.encode(question.prompt, chat=True)[-model.max_context // 2 :]
            for name, run in runs.items():
                if i == 0:
                    run(question, ids, 0)  # captures, and what libraries do at first
                count, seconds = run(question, ids, i)
                times[name].append(1e3 * seconds / max(count, 1))
            told = {name: round(median(found), 4) for name, found in times.items()}
            day.found("engine shapes", **{dtype: {"questions": i + 1, "ms_per_token": told}})
            if budget.over:
                break


def _run_of(
    day: Day, model: PTPModel, engine: Engine | None, method: str
) -> Callable[[Question, list[int], int], tuple[int, float]]:
    """Runs a method and tells tokens and seconds, the prompt's call included."""

    def run(question: Question, ids: list[int], seed: int) -> tuple[int, float]:
        with engine_is(model, engine):
            start = time.perf_counter()
            trace = generate(
                model, ids, method, NoiseTape(seed), max_new_tokens=day.settings.max_new_tokens, details=False
            )
            return len(trace.tokens), time.perf_counter() - start

    return run


def _peer(day: Day, peers: Peers) -> Callable[[Question, list[int], int], tuple[int, float]]:
    def run(question: Question, ids: list[int], seed: int) -> tuple[int, float]:
        row = peers.answer(question, ids, PEER, SamplingConfig(), day.settings.max_new_tokens, seed)
        return row.num_tokens, row.seconds

    return run
