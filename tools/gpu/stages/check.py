"""The first call: is this the machine that we take it for, and does the code do there what it does elsewhere?"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ptp_core import METHODS, NoiseTape, PTPModel, SamplingConfig, generate
from ptp_core.analysis import staircase, unit_square
from ptp_core.methods import AHEAD, BASELINE, TABLE
from ptp_core.model.layout import call_layout
from ptp_core.training.calibrate import calibrate, calibrate_shallow
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation
from ptp_core.training.objectives import Distiller

from ..clock import Budget
from ..day import Day
from ..models import random_model, tiny_model

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_PACKAGES = ("torch", "transformers", "accelerate", "safetensors", "numpy", "triton", "tokenizers", "peft")
_SAMPLING = SamplingConfig(0.7, 8, 0.95)
_PROMPT = [3, 4, 5, 6, 2, 7, 8]
_PROMPTS = ([3, 4, 5], [6, 2, 7, 8, 3, 4], _PROMPT)


def versions(day: Day, budget: Budget) -> None:
    """Versions of everything, and what the device is."""
    found: dict[str, Any] = {"python": platform.python_version(), "cuda": torch.version.cuda}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    if day.device.startswith("cuda"):
        card = torch.cuda.get_device_properties(0)
        found |= {"name": card.name, "memory_mb": card.total_memory >> 20, "processors": card.multi_processor_count}
        found["capability"] = list(torch.cuda.get_device_capability(0))
    day.found("versions", **found)


def arithmetic(day: Day, budget: Budget) -> None:
    """Products against float64: does float32 mean float32 here? And do a row's bits hang on how many rows there are?"""
    torch.set_float32_matmul_precision("highest")
    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(64, 576, generator=generator), torch.randn(1536, 576, generator=generator)
    exact = x.double() @ w.double().t()
    for name, dtype in DTYPES.items():
        a, b = x.to(day.device, dtype), w.to(day.device, dtype)
        whole = F.linear(a, b)
        error = float((whole.double().cpu() - exact).norm() / exact.norm())
        same = {n: _share_equal(F.linear(a[:n], b), whole[:n]) for n in (1, 2, 5, 16, 33, 64)}
        day.found("arithmetic", **{name: {"relative_error": error, "equal_bits_by_rows": same}})


def _share_equal(a: Tensor, b: Tensor) -> float:
    return float((a == b).all(-1).float().mean())


def attention_choice(day: Day, budget: Budget) -> None:
    """Which kernel torch takes for our shapes, and what a shape that it has not met yet costs."""
    shapes = [(1, 300), (12, 301), (12, 302), (200, 303)]
    for name, dtype in DTYPES.items():
        rows = []
        for queries, columns in shapes:
            q = torch.randn(1, 9, queries, 64, device=day.device, dtype=dtype)
            k = torch.randn(1, 3, columns, 64, device=day.device, dtype=dtype)
            mask = torch.zeros(1, 1, queries, columns, device=day.device, dtype=dtype)

            def run(q: Tensor = q, k: Tensor = k, mask: Tensor = mask) -> Tensor:
                return F.scaled_dot_product_attention(q, k, k, attn_mask=mask, enable_gqa=True)

            choice = int(torch._fused_sdp_choice(q, k, k, attn_mask=mask, enable_gqa=True))
            kernel = {int(b.value): n for n, b in torch.nn.attention.SDPBackend.__members__.items()}.get(choice)
            first, again = milliseconds(run, day.device), milliseconds(run, day.device)
            rows.append({"rows": queries, "columns": columns, "kernel": kernel, "first_ms": first, "again_ms": again})
        day.found("attention", **{name: rows})


def milliseconds(run: Callable[[], object], device: str) -> float:
    """One call, begun and ended with an idle device."""
    _wait(device)
    start = time.perf_counter()
    run()
    _wait(device)
    return round(1e3 * (time.perf_counter() - start), 4)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def exactness(day: Day, budget: Budget) -> None:
    """The tiny model in float32: every method's text is ar's, and ar's is the CPU's."""
    here, there = tiny_model("cpu", chain=8), tiny_model(day.device, chain=8)
    found = dict.fromkeys(METHODS, 0)
    elsewhere = 0
    cases = [(prompt, seed) for prompt in _PROMPTS for seed in range(4)]
    for prompt, seed in cases:
        expected = generate(here, prompt, BASELINE, NoiseTape(seed), _SAMPLING, max_new_tokens=24).tokens
        ours = generate(there, prompt, BASELINE, NoiseTape(seed), _SAMPLING, max_new_tokens=24).tokens
        elsewhere += ours == expected
        for method in METHODS:
            text = generate(there, prompt, method, NoiseTape(seed), _SAMPLING, max_new_tokens=24, **_options(method))
            found[method] += text.tokens == ours
    day.found("exactness", cases=len(cases), as_on_the_cpu=elsewhere, as_ar=found)
    require(elsewhere == len(cases) and set(found.values()) == {len(cases)}, f"{elsewhere}, {found} of {len(cases)}")


def _options(method: str) -> dict[str, Any]:
    row = TABLE[method]
    return {"draft_budget": 4 if row.drafts == AHEAD else 9} if "draft_budget" in row.options else {}


def maps(day: Day, budget: Budget) -> None:
    """Staircase and unit square on the device and on the CPU."""
    found = []
    for device in ("cpu", day.device):
        model = tiny_model(device)
        trace = generate(model, _PROMPT, BASELINE, NoiseTape(5), _SAMPLING, max_new_tokens=8)
        steps, square = staircase(model, trace, 1), unit_square(model, trace, 1)
        found.append((trace.tokens, steps.agreement, square.draft.agreement.pair if square.draft else None))
    day.found("maps", cpu=found[0], device=found[1])
    require(found[0][0] == found[1][0], "the texts differ")
    for a, b in zip(found[0][1:], found[1][1:], strict=True):
        require(a is None or b is None or abs(a - b) < 0.02, f"the maps differ: {a} and {b}")


def training_step(day: Day, budget: Budget) -> None:
    """Loss and gradients of one step of each objective, on the device and on the CPU."""
    row = Conversation([*_PROMPT, *([3, 5, 4, 6, 7, 2] * 6)], len(_PROMPT))
    for objective in ("distill", "shallow"):
        found = []
        for device in ("cpu", day.device):
            model = tiny_model(device, chain=8)
            config = TrainConfig("", "", objective=objective, init="tiny", window=4, starts=6, dtype="float32")
            parameters = model.train_adapter(["shallow"]) if objective == "shallow" else model.train_adapter()
            loss, count = Distiller(model, config)([row], torch.Generator().manual_seed(1))
            loss.backward()
            norm = sum(float(p.grad.double().pow(2).sum()) for p in parameters if p.grad is not None) ** 0.5
            found.append({"loss": float(loss.detach()), "gradient": norm, "targets": count})
        day.found("training step", **{objective: found})
        here, there = found
        close = all(abs(there[key] - here[key]) <= 1e-3 * abs(here[key]) for key in ("loss", "gradient"))
        require(close and here["targets"] == there["targets"], f"{objective}: {found}")


def calibration(day: Day, budget: Budget) -> None:
    """Calibration of many texts at once runs on the device and gives the CPU's figures, which takes one at a time."""
    found = []
    for device, at_once in (("cpu", False), (day.device, True)):
        model, samplings = tiny_model(device, chain=8), [_SAMPLING] * len(_PROMPTS)
        slots = calibrate(model, _PROMPTS, samplings, max_new_tokens=16, draft_budget=9, at_once=at_once)
        shallow = calibrate_shallow(model, _PROMPTS, samplings, max_new_tokens=16)
        found.append([list(slots.draft_run), list(shallow.draft_run)])
    day.found("calibration", cpu=found[0], device=found[1])
    require(found[0] == found[1], "the figures differ")


def row_invariance(day: Day, budget: Budget) -> None:
    """In calls of one fixed shape, do the bits of a row hang on the rows beside it? What do other shapes cost?

    The model has the default target's size; the rehearsal takes the tiny one.
    """
    for name, dtype in DTYPES.items():
        model = random_model(day, dtype)
        rows, context = day.settings.fixed_rows, 64
        cache = model.new_cache(context + rows)
        generator = torch.Generator().manual_seed(3)
        vocabulary = int(model.config.vocab_size)
        with torch.inference_mode():
            text = torch.randint(vocabulary, (1, context), generator=generator).to(model.device)
            layout = call_layout(0, context, 0)
            model(text, positions=layout.positions, mask=layout.mask, cache=cache)
            cache.keep(context)
            alone, among = _fixed_shape_logits(model, cache, rows, vocabulary, generator)
            differing = float((alone - among).abs().max())
            costs = {n: _call_ms(model, cache, n, day.device) for n in _sizes(rows)}
        equal = _share_equal(alone, among)
        found = {"equal_rows": equal, "largest_difference": differing, "ms_by_rows": costs}
        day.found("row invariance", **{name: found})


def _sizes(rows: int) -> Sequence[int]:
    return sorted({1, 2, 4, max(rows // 2, 1), rows})


def _fixed_shape_logits(
    model: PTPModel, cache: Any, rows: int, vocabulary: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Logits (rows, V) of a text's rows, each with other texts beside it, and all in one call; the shape is one."""
    tokens = torch.randint(vocabulary, (1, rows), generator=generator).to(model.device)
    layout = call_layout(cache.length, 1, rows - 1)
    among = model.logits(model(tokens, positions=layout.positions, mask=layout.mask, cache=cache)[0])
    alone = []
    for row in range(rows):
        other = torch.randint(vocabulary, (1, rows), generator=generator).to(model.device)
        other[:, : row + 1] = tokens[:, : row + 1]  # a row's own text; what comes behind it is foreign
        hidden = model(other, positions=layout.positions, mask=layout.mask, cache=cache)[0]
        alone.append(model.logits(hidden)[row])
    return torch.stack(alone), among


def _call_ms(model: PTPModel, cache: Any, rows: int, device: str) -> float:
    """Median of nine calls of so many rows, the logits and their argmax included."""
    tokens = torch.zeros(1, rows, dtype=torch.long, device=model.device)
    layout = call_layout(cache.length, 1, rows - 1)

    def call() -> None:
        model.logits(model(tokens, positions=layout.positions, mask=layout.mask, cache=cache)[0]).argmax(-1).tolist()

    times = sorted(milliseconds(call, device) for _ in range(11))
    return times[len(times) // 2]


def require(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)
