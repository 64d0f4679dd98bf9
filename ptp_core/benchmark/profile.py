"""Where a call's time goes: the parts of real calls, timed on the machine at hand.

A call's layers run as one product over real rows and slots, so no clock can separate the two. After each call, two
more passes run over the same cache, outside its time. One has the call's real rows alone. The other has as many rows as
the call, without the low-rank delta. The differences give what slots cost, and how much of that is the delta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..decoding.calls import PlainCalls
from ..decoding.drafters import DRAFTERS, drive
from ..decoding.session import Session
from ..decoding.stopwatch import Laps
from ..methods import AHEAD_METHOD, BASELINE, PAPER_METHOD, TABLE
from ..model.layout import CallLayout
from ..model.ptp_model import PTPModel
from ..noise import NoiseTape
from ..trace import DecodeStep, Draft
from .config import BenchConfig
from .questions import Question

_QUESTIONS, _TOKENS, _SLOTS = 4, 24, 16
PARTS = {
    "target": "layers, the rows that plain decoding would need too and the drafts",
    "slot_rows": "layers, what the slots' rows add",
    "slot_delta": "layers, the low-rank delta of the slots",
    "head": "output layer of the target's rows, and of slots that no chain head reads",
    "pick": "filters, CDF and Pick of the target's rows",
    "read": "drafts of the kept branch, with a chain head its output layer too",
    "layout": "positions and mask",
    "embed": "token ids and slot embeddings",
    "plan": "allocation of slots",
    "draft": "drafts behind a call, one after another",
    "verify": "comparison, cache, text",
}


def profile_methods(model: PTPModel, questions: Sequence[Question], config: BenchConfig) -> dict[str, Any]:
    """Milliseconds per call by part over a few questions and short answers: AR, PQD and slots that draft behind calls.

    {"draft_budget", "methods": {name: {"calls", "positions", "slots", "ms", "parts": {part: ms}}}}; calls that read
    the prompt are left out. An "auto" budget may spend nothing, so PQD is profiled with a fixed one then; the
    others draft as the configuration says.
    """
    budget = _SLOTS if config.draft_budget in ("auto", 0) else int(config.draft_budget)
    methods = [name for name in (BASELINE, PAPER_METHOD, AHEAD_METHOD) if model.offers(TABLE[name].needs)]
    tallies: dict[str, list[_Tally]] = {m: [] for m in methods}
    chosen = questions[:: max(1, len(questions) // _QUESTIONS)][:_QUESTIONS]
    for i, question in enumerate([chosen[0], *chosen]):  # the first one twice: once to warm up
        for method in methods:
            settings = replace(config, draft_budget=budget) if TABLE[method].by_slots else config
            tally = _profile(model, model.encode(question.prompt, chat=True), method, settings, config.seed + i)
            tallies[method] += [tally] if i else []
    return {"draft_budget": budget, "methods": {m: _summary(tallies[m]) for m in methods}}


class _Tally(Session):
    """A run whose layers are timed again without slots and without delta."""

    def __init__(self, *arguments: Any, synchronize: Callable[[], None] | None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.laps = Laps(synchronize)
        self.extra = Laps(synchronize)
        self.calls = self.rows = self.slots = 0
        self._is_plain = isinstance(self._calls, PlainCalls)  # the engine's calls all have one shape
        if isinstance(self._calls, PlainCalls):
            self._layers, self._calls.layers = self._calls.layers, self._timed  # type: ignore[method-assign]

    def call(self, drafts: Sequence[Draft], lengths: Sequence[int]) -> tuple[DecodeStep, list[Draft]]:
        reads_prompt = self.num_emitted == 0
        before = self.laps.seconds.get("body", 0.0)
        step, kept = super().call(drafts, lengths)
        if reads_prompt:
            self.laps.seconds.clear()
            return step, kept
        slots = sum(branch.num_slots or 0 for branch in step.branches)
        self.calls, self.rows, self.slots = self.calls + 1, self.rows + step.num_positions, self.slots + slots
        if not slots or not self._is_plain:  # such a call is its own comparison
            took = self.laps.seconds["body"] - before
            for part in ("without delta", "without slots"):
                self.extra.seconds[part] = self.extra.seconds.get(part, 0.0) + took
        return step, kept

    def _timed(self, tokens: Tensor, slots: Tensor | None, layout: CallLayout) -> Tensor:
        hidden = self._layers(tokens, slots, layout)
        self.laps.lap("body")
        if self.num_emitted and slots is not None:
            self._again(tokens.shape[1], slots.shape[1], layout.positions, layout.mask)
        self.laps.start()
        return hidden

    def _again(self, real: int, slots: int, positions: Tensor, mask: Tensor) -> None:
        """The same layers over as many plain rows, then over the real rows alone.

        The real rows' keys and values are put back. No call keeps those of slots.
        """
        tokens = torch.zeros(1, real + slots, dtype=torch.long, device=self.model.device)
        kept = self._cache.length
        seen = kept + real
        saved = [(k[:, :, kept:seen].clone(), v[:, :, kept:seen].clone()) for k, v in self._rows_of_cache(seen)]
        self.extra.start()
        self.model(tokens, None, positions=positions, mask=mask, cache=self._cache)
        self.extra.lap("without delta")
        self.model(tokens[:, :real], None, positions=positions[:real], mask=mask[:real, :seen], cache=self._cache)
        self.extra.lap("without slots")
        for (k, v), (key, value) in zip(self._rows_of_cache(seen), saved, strict=True):
            k[:, :, kept:seen], v[:, :, kept:seen] = key, value

    def _rows_of_cache(self, rows: int) -> list[tuple[Tensor, Tensor]]:
        length = self._cache.length
        self._cache.keep(rows)
        layers = [self._cache.layer(i) for i in range(int(self.model.config.num_hidden_layers))]
        self._cache.keep(length)
        return layers


def _profile(model: PTPModel, ids: Sequence[int], method: str, config: BenchConfig, seed: int) -> _Tally:
    synchronize = torch.cuda.synchronize if model.device.type == "cuda" else None
    sampling = config.sampling(model.adapter.order if model.adapter else "probability")
    settings = config.decoding(min(_TOKENS, config.max_new_tokens))
    drafter = DRAFTERS[method](model, settings, sampling)
    run = _Tally(
        model, ids, NoiseTape(seed), sampling, settings, drafter.max_drafts, drafter.slots, synchronize=synchronize
    )  # fmt: skip
    for _ in drive(run, drafter):
        pass
    return run


def _summary(runs: Sequence[_Tally]) -> dict[str, Any]:
    """Mean milliseconds per call by part; parts sum to ms."""
    calls = sum(r.calls for r in runs) or 1
    laps = {part: 1e3 * sum(r.laps.seconds.get(part, 0.0) for r in runs) / calls for part in (*PARTS, "body")}
    plain = 1e3 * sum(r.extra.seconds.get("without delta", 0.0) for r in runs) / calls
    alone = 1e3 * sum(r.extra.seconds.get("without slots", 0.0) for r in runs) / calls
    body = laps.pop("body")
    if any(r.slots for r in runs):
        laps |= {"target": alone, "slot_rows": plain - alone, "slot_delta": body - plain}
    else:
        laps["target"] = body
    return {
        "calls": sum(r.calls for r in runs),
        "positions": sum(r.rows for r in runs) / calls,
        "slots": sum(r.slots for r in runs) / calls,
        "ms": sum(laps.values()),
        "parts": laps,
    }


def profile_table(profile: dict[str, Any]) -> str:
    """The profile as a Markdown table: milliseconds per call and share, a row per part."""
    if not profile:
        return "No profile was taken: the run was stopped before its end."
    methods = profile["methods"]
    lines = ["| part of a call | " + " | ".join(_named(n, m) for n, m in methods.items()) + " |"]
    lines.append("|---" * (1 + len(methods)) + "|")
    for part, text in PARTS.items():
        cells = [_cell(m, part) for m in methods.values()]
        lines.append(f"| {part}: {text} | " + " | ".join(cells) + " |")
    lines.append("| all | " + " | ".join(f"{m['ms']:.2f} ms" for m in methods.values()) + " |")
    return "\n".join(lines)


def _cell(facts: dict[str, Any], part: str) -> str:
    ms = facts["parts"].get(part, 0.0)  # an older file may lack a part
    return f"{ms:.2f} ms, {100 * ms / facts['ms']:.0f} %" if facts["ms"] else "–"


def _named(name: str, facts: dict[str, Any]) -> str:
    return f"{name} ({facts['positions']:.1f} positions, {facts['slots']:.1f} of them slots, {facts['calls']} calls)"
