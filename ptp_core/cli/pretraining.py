"""The commands that make a small target and its slots: texts, train target, train slots, small-model, study."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import add_options, from_options


def _add_texts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", help="folder of the token rows and the tokenizer")
    parser.add_argument("--packages", help="folder of the packages' files; default: OUT/packages, filled by pip")
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--context", type=int, default=512, help="longest text that the target will read")


def _texts(options: argparse.Namespace) -> None:
    import json
    from dataclasses import asdict

    import numpy as np

    from ..training.pretraining.sequences import openings
    from ..training.pretraining.texts import fetch, read_texts, sources
    from ..training.pretraining.vocabulary import as_tokens, save_tokenizer, train_tokenizer

    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    train, held_out = read_texts(fetch(Path(options.packages or out / "packages"), sources()))
    tokenizer = train_tokenizer(train, options.vocabulary)
    save_tokenizer(tokenizer, out, options.context)
    for name, texts in (("train", train), ("held_out", held_out)):
        row = as_tokens(tokenizer, texts)
        np.save(out / f"{name}.npy", row)
        print(f"{name}: {len(texts)} texts, {len(row)} tokens, {sum(map(len, texts)) / len(row):.2f} characters each")
    begun = "".join(f"{json.dumps(asdict(each))}\n" for each in openings(row))  # of the last row, which is held out
    (out / "openings.jsonl").write_text(begun)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Options of `train target`."""
    from ..training.pretraining.pretrain import PretrainConfig

    add_options(parser, PretrainConfig)


def train_target(options: argparse.Namespace) -> None:
    from ..training.pretraining.pretrain import PretrainConfig, pretrain

    print((pretrain(from_options(PretrainConfig, options)) / "log.jsonl").read_text().splitlines()[-1])


def add_slots(parser: argparse.ArgumentParser) -> None:
    """Options of `train slots`."""
    from ..training.pretraining.slots import SlotConfig

    add_options(parser, SlotConfig)


def train_slots(options: argparse.Namespace) -> None:
    from ..training.pretraining import slots

    print(slots.read_log(slots.train_slots(from_options(slots.SlotConfig, options)))[-1])


def _add_small_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slots", metavar="RUN", help="folder of a run of `train slots`")
    parser.add_argument("--model", required=True, help="folder of the target to write")
    parser.add_argument("--adapters", required=True, help="folder; the slots become NAME-ptp and NAME-u-blind in it")
    parser.add_argument("--floats", action="store_true", help="adapters as floats, which `train distill` starts from")


def _small_model(options: argparse.Namespace) -> None:
    from ..training.pretraining.export import save_run

    for folder in save_run(Path(options.slots), Path(options.model), Path(options.adapters), not options.floats):
        size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        print(f"{folder}: {size / 1e6:.1f} MB of weights")


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slots", metavar="RUN", help="folder of a run of `train slots` of several kinds")
    parser.add_argument("--file", required=True, help="the study; an experiment of the same id is replaced")
    parser.add_argument("--id", required=True, help="of the experiment in the study")
    for name, help in (
        ("title", "what it compares"), ("measure", "on what"), ("machine", "where, and when"),
        ("source", "where the figures stand in docs/"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", required=True, help=help)


def _study(options: argparse.Namespace) -> None:
    from ..training.pretraining.study import experiment_of, put_experiment

    o = options
    found = experiment_of(Path(o.slots), o.id, o.title, o.measure, o.machine, o.source)
    put_experiment(Path(o.file), found)
    for kind, points in found.kinds.items():
        print(f"{kind}: {points[-1].tokens_per_call:.3f} tokens per call after {points[-1].targets:,} targets")


PRETRAINING_COMMANDS = {
    "texts": (_add_texts, _texts, "fetch the texts of a small target and make its tokenizer"),
    "small-model": (_add_small_model, _small_model, "write a trained small target and its slots as the lab loads them"),
    "study": (_add_study, _study, "put a run of several kinds of slots into a study that the Acceptance page shows"),
}
