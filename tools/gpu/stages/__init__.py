"""The stages of each call, in order."""

from __future__ import annotations

from functools import partial

from ..day import Stage
from ..settings import TRAININGS
from . import check, engine, measure, seats, train

_TRAINING = 28 / sum(training.share for training in TRAININGS)  # all of it together weighs 28

STAGES = {
    "check": [
        Stage("versions", 1, check.versions),
        Stage("arithmetic", 2, check.arithmetic),
        Stage("attention", 3, check.attention_choice),
        Stage("exactness", 8, check.exactness),
        Stage("maps", 4, check.maps),
        Stage("training step", 4, check.training_step),
        Stage("calibration", 3, check.calibration),
        Stage("row invariance", 4, check.row_invariance),
        Stage("engine exactness", 5, engine.exactness),
        Stage("writing exactness", 4, seats.writing_exactness),
        Stage("writing speed", 6, seats.writing_speed),
        Stage("engine", 12, engine.rows_and_costs),
    ],
    "measure": [
        Stage("restore", 3, measure.restore_parts),
        Stage("prompts", 6, measure.prompts),
        Stage("engine texts", 6, engine.texts),
        Stage("engine shapes", 6, engine.shapes),
        Stage("costs", 3, measure.costs),
        Stage("speed float32", 8, measure.speed_float32),
        Stage("speed bfloat16", 8, measure.speed_bfloat16),
    ],
    "train": [
        Stage("restored", 1, measure.restore_parts),
        Stage("writing", 7, train.write_data),
        *(
            Stage(train.stage_of(each), _TRAINING * each.share, partial(train.train_adapter, each))
            for each in TRAININGS
        ),
        Stage("evaluation", 3, train.evaluate_adapters),
        Stage("calibrating", 3, train.calibrate_adapters),
        Stage("counts", 4, train.count),
    ],
}
