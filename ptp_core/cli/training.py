"""The commands that make adapters: data, train, report, calibrate, toy, import-reference, pack, push."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..sampling import SamplingConfig
from .options import add_options, from_options, load_for
from .pretraining import add_slots, add_target, train_slots, train_target


def _add_data(parser: argparse.ArgumentParser) -> None:
    from ..training.writing import DataRecipe

    parser.add_argument("out", help="folder of the conversations; a folder that has some is continued")
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--device", default="auto")
    add_options(parser, DataRecipe)


def _data(options: argparse.Namespace) -> None:
    from ..decoding.thread_choice import settle_threads
    from ..training.conversations import data_sha256, load_conversations
    from ..training.writing import DataRecipe, generate_data

    options.adapter, options.dtype = "none", "bfloat16"
    model = load_for(options, quick=False)
    settle_threads(model)
    folder = generate_data(model, from_options(DataRecipe, options), options.out)
    rows = load_conversations(folder)
    answers = sum(len(row.ids) - row.p for row in rows)
    print(f"{len(rows)} conversations, {answers} answer tokens, sha256 {data_sha256(folder)}")


_OBJECTIVES = {
    "distill": "slots that read u learn what the target will pick",
    "inverse": "the same from texts alone, without a teacher",
    "independent": "the u-blind baseline",
    "shallow": "slots that run through the last layers only",
    "parallel": "the same, a window at once, with a Markov head behind them",
}
_DEFAULTS = {"parallel": {"u_embedding": "temperature"}}
_SMALL = {
    "target": (add_target, train_target, "a small target from scratch, with slots from the first step on"),
    "slots": (add_slots, train_slots, "the slots of such a target"),
}


def _add_train(parser: argparse.ArgumentParser) -> None:
    from ..training.config import TrainConfig

    kinds = parser.add_subparsers(dest="objective", required=True, metavar="OBJECTIVE")
    for name, text in _OBJECTIVES.items():
        own = kinds.add_parser(name, help=text, description=text)
        add_options(own, TrainConfig, skip=("objective",))
        own.set_defaults(**_DEFAULTS.get(name, {}))
    for name, (add, _, text) in _SMALL.items():
        add(kinds.add_parser(name, help=text, description=text))


def _train(options: argparse.Namespace) -> None:
    if options.objective in _SMALL:
        _SMALL[options.objective][1](options)
        return
    from ..training.config import TrainConfig
    from ..training.train import train

    kinds = {
        "inverse": {"variant": "c-ptp", "objective": "inverse"},
        "independent": {"variant": "independent", "u_embedding": "blank", "objective": "distill"},
    }
    result = train(from_options(TrainConfig, options, **kinds.get(options.objective, {"objective": options.objective})))
    print(json.dumps(result.to_json()))


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="ADAPTER", help="its ptp_config.json is rewritten")
    parser.add_argument("--data", required=True, help="conversations; held-out prompts are decoded")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--device", default="auto")


def _calibrate(options: argparse.Namespace) -> None:
    from ..decoding.settings import DRAFT_RULES
    from ..decoding.thread_choice import watch_threads
    from ..methods import AHEAD_METHODS
    from ..model.parts import PARTS
    from ..storage.adapter_files import rewrite_config
    from ..training.calibrate import SLOT_FIGURES, Calibration, calibrate, calibrate_shallow, with_calibration
    from ..training.conversations import load_conversations, split_held_out

    rows = split_held_out(load_conversations(options.data))[1][: options.limit]
    options.adapter, options.dtype = options.folder, "auto"
    watch_threads()
    model = load_for(options)
    config = model.require_adapter()
    samplings = [SamplingConfig(row.temperature, order=config.order) for row in rows]
    prompts = [row.ids[: row.p] for row in rows]
    found: dict[str, Calibration] = {}
    for name, (_, chained, rule) in SLOT_FIGURES.items():
        if (chained or config.chain) and (rule in (DRAFT_RULES[0], "race") or config.variant == "independent"):
            found[name] = calibrate(model, prompts, samplings, chained=chained, draft_rule=rule, seed=options.seed)
    named = [(SLOT_FIGURES[name][0], each) for name, each in found.items()]
    ahead: dict[str, tuple[Calibration, Calibration]] = {}
    for part, method in AHEAD_METHODS.items():
        if getattr(config, part):
            told, raced = (
                calibrate_shallow(model, prompts, samplings, raced=raced, seed=options.seed, method=method)
                for raced in (False, True)
            )
            ahead[part] = told, raced
            named += [(PARTS[part].title, told), (f"{PARTS[part].title} in a race of clocks", raced)]
    rewrite_config(options.folder, with_calibration(config, **found, ahead=ahead))
    for name, each in named:
        clean, rejected = ([round(p, 3) for p in run] for run in (each.draft_run, each.draft_run_rejected))
        print(f"{name}: P(N >= k) {clean}, after a rejection {rejected}")
        print(f"{name}: calibration error {each.error:.3f} over {each.drafts} drafts")


def _add_train_speed(parser: argparse.ArgumentParser) -> None:
    from ..training.config import TrainConfig

    add_options(parser, TrainConfig, skip=("out",))
    parser.add_argument("--rows", type=int, default=7, help="conversations, a step each; the first warms up")
    parser.add_argument("--profile", action="store_true", help="also print where a step's time goes")


def _train_speed(options: argparse.Namespace) -> None:
    import torch

    from ..training.config import TrainConfig
    from ..training.conversations import load_conversations
    from ..training.objectives import Distiller, build_model
    from ..training.speed import measure_train_speed

    model, config = build_model(from_options(TrainConfig, options, out=""), options.device)
    model.train_adapter()
    rows = [row for row in load_conversations(options.data) if len(row.ids) <= config.max_tokens][: options.rows]
    distiller = Distiller(model, config)
    if options.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            measure_train_speed(distiller, rows)
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=50))
        return
    found = measure_train_speed(distiller, rows)
    ratio = found.bound / found.targets_per_second
    print(f"{found.targets_per_second:.0f} targets/s; the products alone {found.bound:.0f}, {ratio:.2f} times as many")
    print(
        f"a step: teacher {found.teacher:.2f} s, slots forwards {found.forward:.2f} s, backwards {found.backward:.2f} s"
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of training runs, drawn together")
    parser.add_argument("--out", required=True, metavar="FILE", help="HTML page")


def _report(options: argparse.Namespace) -> None:
    from ..training.curves import write_report

    print(write_report(options.runs, options.out))


def _add_toy(parser: argparse.ArgumentParser) -> None:
    from ..toys.word_pairs import ToyConfig

    add_options(parser, ToyConfig, skip=("variant",))
    parser.add_argument("--variants", default="o-ptp,c-ptp,independent", help="comma-separated")


def _toy(options: argparse.Namespace) -> None:
    from ..toys.word_pairs import ToyConfig, best_independent, invalid_share, make_world, total_variation, train_toy

    world = make_world()
    limit = best_independent(world)
    print(f"{'':12} total variation, invalid pairs; drafts over a grid of u1, u2")
    for variant in options.variants.split(","):
        last = train_toy(from_options(ToyConfig, options, variant=variant))
        print(f"{variant:12} {last.total_variation:.4f} {last.invalid:7.2%}  after {last.step} steps", flush=True)
    distance = total_variation(limit, world.joint)
    print(f"{'at best':12} {distance:.4f} {invalid_share(limit, world):7.2%}  any prediction of t2 that ignores t1")


def _add_toy_sequence(parser: argparse.ArgumentParser) -> None:
    from ..toys.grid_walks import SequenceConfig

    add_options(parser, SequenceConfig, skip=("mode",))


def _toy_sequence(options: argparse.Namespace) -> None:
    from ..toys.grid_walks import MODES, SequenceConfig, make_walk, train_sequence

    walk = make_walk()
    print(f"walks of {options.length} of 25 symbols: perplexity {walk.perplexity(options.length):.3f} in truth")
    for mode in MODES:
        found = train_sequence(from_options(SequenceConfig, options, mode=mode))
        print(f"{mode:14} {found.perplexity:.3f} after {found.step} steps, {found.seconds:.0f} s", flush=True)
    print(f"{'independent':14} {walk.independent_perplexity(options.length):.3f} at best")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="FILE.ckpt", help="Lightning checkpoint of the paper's reference code")
    parser.add_argument("--config", required=True, metavar="YAML", help="the run's train.yaml")
    parser.add_argument("--model", help="folder or hub id of the target, to compare sizes and weights with")
    parser.add_argument("--out", required=True, help="folder of the adapter")


def _import(options: argparse.Namespace) -> None:
    from ..storage.load import load_target
    from ..storage.reference_code import import_reference

    found = load_target(options.model, "cpu", "float32") if options.model else None
    target, info = (found.model, found.info) if found else (None, None)
    adapter = import_reference(options.checkpoint, options.config, options.out, target, info).config
    kind, target_name = adapter.u_embedding["kind"], adapter.target.get("name")
    print(f"{options.out}: o-ptp, rank {adapter.lora.rank}, u embedding {kind}, for {target_name}")


def _add_pack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="ADAPTER", help="a saved adapter")
    parser.add_argument("out", help="folder of the copy; may be the same")
    parser.add_argument("--floats", action="store_true", help="the other way: as float32, which PEFT loads")


def _pack(options: argparse.Namespace) -> None:
    from ..storage.adapter_files import store_adapter

    store_adapter(options.folder, options.out, eight_bits=not options.floats)
    size = sum(file.stat().st_size for file in Path(options.out).glob("*.safetensors"))
    print(f"{options.out}: {size / 1e6:.1f} MB of weights")


def _add_push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="ADAPTER")
    parser.add_argument("repo", metavar="ORG/NAME", help="a repository on the hub, made if it is not there")
    parser.add_argument("--private", action="store_true")


def _push(options: argparse.Namespace) -> None:
    from ..storage.adapter_files import push_folder

    print(push_folder(options.folder, options.repo, options.private))


TRAINING_COMMANDS = {
    "data": (_add_data, _data, "let the model write conversations to train on"),
    "train": (_add_train, _train, "train an adapter"),
    "train-speed": (_add_train_speed, _train_speed, "targets per second against the bound of its products"),
    "report": (_add_report, _report, "draw training runs as a page"),
    "calibrate": (_add_calibrate, _calibrate, "measure what an adapter's drafts are worth"),
    "toy": (_add_toy, _toy, "train on a world of word pairs that is known exactly"),
    "toy-sequence": (_add_toy_sequence, _toy_sequence, "inverse autoregressive against autoregressive training"),
    "import-reference": (_add_import, _import, "convert a checkpoint of the paper's code"),
    "pack": (_add_pack, _pack, "store an adapter's matrices in eight bits, or as floats again"),
    "push": (_add_push, _push, "upload an adapter to the Hugging Face hub"),
}
