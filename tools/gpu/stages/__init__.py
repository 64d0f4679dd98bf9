"""The stages of each call, in order."""

from __future__ import annotations

from ..day import Stage
from . import check, measure, train

STAGES = {
    "check": [
        Stage("versions", 1, check.versions),
        Stage("arithmetic", 2, check.arithmetic),
        Stage("attention", 3, check.attention_choice),
        Stage("exactness", 8, check.exactness),
        Stage("maps", 4, check.maps),
        Stage("training step", 4, check.training_step),
        Stage("calibration", 3, check.calibration),
        Stage("row invariance", 8, check.row_invariance),
    ],
    "measure": [
        Stage("restore", 3, measure.restore_parts),
        Stage("prompts", 6, measure.prompts),
        Stage("costs", 3, measure.costs),
        Stage("speed float32", 8, measure.speed_float32),
        Stage("speed bfloat16", 8, measure.speed_bfloat16),
    ],
    "train": [
        Stage("restored", 1, measure.restore_parts),
        Stage("writing", 9, train.write_data),
        Stage("training", 22, train.train_adapter),
        Stage("evaluation", 4, train.evaluate_adapter),
        Stage("calibrating", 4, train.calibrate_adapter),
        Stage("counts", 5, train.count),
    ],
}
