"""Benchmark: question sets over methods, interleaved question by question, exactness checked.

    python -m ptp_core bench --questions FILE.jsonl --methods ar,pqd,hf_generate --json OUT.json

Every question is answered by every method before the next one, so the machine's drift hits all
alike. Rows are kept in OUT.rows.jsonl as they come; a run that was stopped goes on from there.
Figures are counts and measured seconds of model calls; ratios are taken within one run.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from .cost import cost_curve
from .decode import METHODS, generate
from .figures import Row, summarise
from .model import PTPModel
from .noise import NoiseTape
from .sampling import SamplingConfig
from .trace import Trace, first_divergence

OUTSIDE_METHODS = ("hf_generate", "hf_prompt_lookup")
_LOOKUP_TOKENS = 10  # transformers' own default number of prompt-lookup candidates


@dataclass(frozen=True)
class Question:
    question_id: str
    category: str
    prompt: str


@dataclass(frozen=True)
class BenchConfig:
    """What is run on every question; the noise of question i is NoiseTape(seed + i)."""

    methods: tuple[str, ...] = ("ar", "pqd")
    max_new_tokens: int = 64
    seed: int = 0
    temperature: float = 0.7
    top_k: int = 50
    top_p: float = 0.95
    num_speculative_tokens: int | None = None
    draft_budget: int | str = "auto"
    threads: int = field(default_factory=torch.get_num_threads)

    def __post_init__(self) -> None:
        unknown = set(self.methods) - {*METHODS, *OUTSIDE_METHODS}
        if unknown or not self.methods:
            known = ", ".join((*METHODS, *OUTSIDE_METHODS))
            raise ValueError(f"Unknown methods: {', '.join(sorted(unknown)) or '(none given)'}; known: {known}.")


def load_questions(path: str | os.PathLike[str], limit: int | None = None) -> list[Question]:
    """Questions of a JSONL file: rows with `turns` (the first is asked) or `prompt`; ValueError for others.

    With a limit, rows are taken evenly over the file, so that every kind of question is asked.
    """
    questions = []
    for i, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines()):
        if not line.strip():
            continue
        row = json.loads(line)
        prompt = row["turns"][0] if row.get("turns") else row.get("prompt")
        if not isinstance(prompt, str):
            raise ValueError(f"Row {i + 1} of {path} has neither turns nor a prompt.")
        questions.append(Question(str(row.get("question_id", i)), str(row.get("category", "all")), prompt))
    if limit is not None and limit < len(questions):
        questions = [questions[round(i * (len(questions) - 1) / max(limit - 1, 1))] for i in range(limit)]
    return questions


def run_bench(
    model: PTPModel,
    questions: Sequence[Question],
    config: BenchConfig,
    rows_file: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Row]:
    """All questions by all methods. progress(done, total, what) is called before each run."""
    done = _read_rows(rows_file) if rows_file else []
    known = {(row.question_id, row.method) for row in done}
    outside = _OutsideModel(model) if set(config.methods) & set(OUTSIDE_METHODS) else None
    sampling = SamplingConfig(
        config.temperature, config.top_k, config.top_p, model.adapter.order if model.adapter else "probability"
    )
    if any((q.question_id, m) not in known for q in questions for m in config.methods):
        _warm_up(model, outside, config, sampling)
    for i, question in enumerate(questions):
        ids = model.encode(question.prompt, chat=True)
        reference: Trace | None = None
        for k, method in enumerate(config.methods):
            if (question.question_id, method) in known:
                continue
            progress(
                i * len(config.methods) + k, len(questions) * len(config.methods), f"{question.category}, {method}"
            )
            if method in OUTSIDE_METHODS:
                assert outside is not None
                row = outside.answer(question, ids, method, config, config.seed + i)
            else:
                noise = NoiseTape(config.seed + i)
                if reference is None and method != "ar":
                    reference = _decode(model, ids, "ar", noise, sampling, config)
                trace = _decode(model, ids, method, noise, sampling, config)
                reference = trace if method == "ar" else reference
                row = _row(question, trace, reference)
            done.append(row)
            if rows_file:
                with rows_file.open("a") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
    return done


def _decode(
    model: PTPModel, ids: Sequence[int], method: str, noise: NoiseTape, sampling: SamplingConfig, config: BenchConfig
) -> Trace:
    options: dict[str, Any] = {"max_new_tokens": config.max_new_tokens, "details": False}
    if method != "prompt_lookup":
        options |= {"num_speculative_tokens": config.num_speculative_tokens, "draft_budget": config.draft_budget}
    return generate(model, ids, method, noise, sampling, prompt="", **options)


def _row(question: Question, trace: Trace, reference: Trace | None) -> Row:
    stats = trace.stats
    place = first_divergence(reference.tokens, trace.tokens) if reference else None
    margin = (
        reference.emitted[place].margin if reference and place is not None and place < len(reference.tokens) else None
    )
    return Row(
        question.question_id, question.category, trace.method, stats.num_tokens, stats.num_calls, stats.seconds,
        [(len(s.drafts), s.num_accepted) for s in trace.steps if s.drafts], place is None, place, margin,
    )  # fmt: skip


class _OutsideModel:
    """transformers' own generate on the same weights, dtype and device: the peer that everyone knows."""

    def __init__(self, model: PTPModel) -> None:
        from .load import load_target

        self._target = load_target(model.source, model.device.type, str(model.dtype).removeprefix("torch.")).model
        self._target.set_attn_implementation("sdpa")

    @torch.inference_mode()
    def answer(self, question: Question, ids: Sequence[int], method: str, config: BenchConfig, seed: int) -> Row:
        torch.manual_seed(seed)
        settings: dict[str, Any] = {"max_new_tokens": config.max_new_tokens, "do_sample": config.temperature > 0}
        if config.temperature > 0:
            settings |= {"temperature": config.temperature, "top_k": config.top_k, "top_p": config.top_p}
        if method == "hf_prompt_lookup":
            settings["prompt_lookup_num_tokens"] = _LOOKUP_TOKENS
        calls = 0

        def count(*_: Any) -> None:
            nonlocal calls
            calls += 1

        handle = self._target.register_forward_hook(count)
        inputs = torch.tensor([list(ids)], device=self._target.device)
        try:
            start = time.perf_counter()
            out = self._target.generate(inputs, attention_mask=torch.ones_like(inputs), pad_token_id=0, **settings)
            seconds = time.perf_counter() - start
        finally:
            handle.remove()
        tokens = out.shape[1] - len(ids)
        return Row(question.question_id, question.category, method, tokens, calls, seconds, [], None)


def _warm_up(model: PTPModel, outside: _OutsideModel | None, config: BenchConfig, sampling: SamplingConfig) -> None:
    ids = model.encode("Hello there.", chat=True)
    if config.draft_budget == "auto" and model.adapter:
        cost_curve(model)
    short = BenchConfig(config.methods, max_new_tokens=8, draft_budget=config.draft_budget)
    for method in config.methods:
        if method in OUTSIDE_METHODS:
            assert outside is not None
            outside.answer(Question("", "", ""), ids, method, short, 0)
        else:
            _decode(model, ids, method, NoiseTape(0), sampling, short)


def environment(model: PTPModel) -> dict[str, Any]:
    """The machine and the versions behind the figures."""
    import transformers

    curve = cost_curve(model) if model.adapter else None
    return {
        "model": model.name,
        "adapter": model.adapter.name if model.adapter else None,
        "adapter_sha256": model.adapter_sha256,
        "device": torch.cuda.get_device_name() if model.device.type == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "fast_cpu": model.is_fast,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cost_curve": asdict(curve) if curve else None,
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _read_rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Row(**{**row, "accepted": [tuple(pair) for pair in row["accepted"]]}) for row in rows]


def write_report(path: Path, model: PTPModel, config: BenchConfig, rows: Sequence[Row]) -> dict[str, Any]:
    """Writes the JSON result; returns its content."""
    result = {
        "environment": environment(model),
        "config": asdict(config),
        "methods": summarise(rows),
        "questions": [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
    return result
