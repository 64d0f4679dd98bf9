"""From a row of a result to the race that repeats it."""

from __future__ import annotations

from functools import lru_cache

from app.settings import NAMES, RunSettings
from ptp_core.benchmark.config import BenchConfig
from ptp_core.benchmark.rows import Row
from ptp_core.folders import adapters_folder
from ptp_core.methods import RACED, TABLE
from ptp_core.storage.adapter_files import adapter_hashes
from ptp_core.storage.built_in import BUILT_IN, DEFAULT

from .shown import Shown


def race_query(shown: Shown, row: Row) -> str | None:
    """The Race page's query for this row's prompt, noise and settings; None where the Race could not run it."""
    config = shown.at(row.point).config
    prompts = {q.question_id: q.prompt for q in shown.result.questions}
    drafts = config.num_speculative_tokens
    plain = BenchConfig()
    unset = [name for name in TABLE[row.method].options if name not in NAMES]  # what the Race offers no choice of
    if any(getattr(config, name) != getattr(plain, name) for name in unset):
        return None
    if drafts is None and shown.result.adapter_of(row.method):
        drafts = shown.result.drafter(row.method).longest
    try:
        return RunSettings.parse(
            prompt=prompts.get(row.question_id), seed=row.seed, max_new_tokens=config.max_new_tokens,
            temperature=config.temperature, top_k=config.top_k, top_p=config.top_p, draft_budget=config.draft_budget,
            num_speculative_tokens=drafts, method=row.method if row.method in RACED else None, coupling=config.coupling,
        ).query()  # fmt: skip
    except ValueError:
        return None


def is_default(shown: Shown) -> bool:
    """Whether the Race, which runs the default model in float32, repeats this result's texts."""
    e = shown.result.environment
    own = (e.get("adapter") or {}).get("sha256")
    return own in _default_adapter() and e.get("dtype") == "float32"


@lru_cache(maxsize=1)
def _default_adapter() -> tuple[str, ...]:
    try:
        return adapter_hashes(adapters_folder() / BUILT_IN[DEFAULT].adapter)
    except OSError:
        return ()
