"""How much of everything the programme does: on a GPU, and in the rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptp_core.methods import PEER, SETS, TABLE
from ptp_core.model.config import U_BLIND

ROOT = Path(__file__).resolve().parents[2]
_TIMED = tuple(name for name in SETS["counted"] if TABLE[name].sees_u)  # the day starts with no u-blind adapter


@dataclass(frozen=True)
class Training:
    """An adapter that the day trains.

    name       of its folder and of what comes back
    share      of the time for training, beside the others' shares
    continues  whether it starts from the day's adapter; else it starts afresh
    changes    settings of its own
    """

    name: str
    share: float
    continues: bool
    changes: Mapping[str, Any]


_BLIND = {"variant": U_BLIND, "u_embedding": "blank"}
_AFRESH = {"order": "token_id", "chain": 1152, "rank": 64, "alpha": 64.0}
# First what our measurements favour (docs/log.md): parallel slots that race, and slots in branches that are told
# nothing. Then the paper's, which is told u in the order of token ids, and its twin, which is told nothing. The first
# slot of those told u only carries u.
TRAININGS = (
    Training("parallel", 4, True, {"objective": "parallel", "u_embedding": "temperature", "window": 5}),
    Training("u-blind", 3, True, {**_BLIND, "window": 5}),
    Training("paper", 3, False, {**_AFRESH, "window": 6}),
    Training("paper-u-blind", 3, False, {**_AFRESH, **_BLIND, "window": 5}),
)


@dataclass(frozen=True)
class Settings:
    """Sizes of the real day; the rehearsal overrides what would take long."""

    name: str = "real"
    adapter: str = "smollm2-135m-ptp"
    tiny: bool = False
    fixed_rows: int = 32  # rows of the call shape whose invariance is tried
    max_new_tokens: int = 64
    writing_trial: tuple[int, int] = (1024, 128)  # texts at once, and tokens of each
    prompts: int = 20  # decoded on the CPU and on the device
    questions: int = 40
    repeats: int = 3
    draft_budget: int = 32
    methods: tuple[str, ...] = (*_TIMED, PEER)
    counted: int = 80  # questions by each adapter
    trainings: tuple[Training, ...] = TRAININGS
    calibration_rows: int = 40
    recipe: Mapping[str, Any] = field(
        default_factory=lambda: {"seed": 21, "shard_size": 2000, "batch_size": 1024, "conversations": 100_000}
    )
    training: Mapping[str, Any] = field(
        default_factory=lambda: {
            "starts": 128, "focus": 0.5, "batch": 16, "accumulate": 1, "learning_rate": 8e-4,
            "chain_rate": 1.0, "warmup": 100, "final_share": 0.02, "evaluate_every": 1000, "evaluate_rows": 100,
            "save_every": 500, "dtype": "bfloat16",
        }
    )  # fmt: skip

    @property
    def questions_file(self) -> Path:
        return ROOT / "assets/questions/spec-bench-dev.jsonl"


REAL = Settings()
TINY = Settings(
    name="tiny",
    adapter="tiny",
    tiny=True,
    fixed_rows=8,
    max_new_tokens=8,
    writing_trial=(16, 24),
    prompts=2,
    questions=2,
    repeats=1,
    draft_budget=6,
    counted=2,
    calibration_rows=2,
    recipe={"seed": 21, "shard_size": 80, "batch_size": 80, "conversations": 160},
    training={
        "starts": 8, "batch": 2, "accumulate": 1, "warmup": 3, "evaluate_every": 1000,
        "evaluate_rows": 3, "save_every": 4, "dtype": "float32", "max_tokens": 300, "minutes": 0.007,
    },
)  # fmt: skip
