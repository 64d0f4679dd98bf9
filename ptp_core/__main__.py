"""Command line: python -m ptp_core COMMAND (see --help of each)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .noise import NoiseTape
from .options import add_options, from_options
from .sampling import FILTERS, ORDERS, SamplingConfig

if TYPE_CHECKING:
    from .model import PTPModel


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. Errors are one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m ptp_core", description="Parallel Token Prediction")
    commands = parser.add_subparsers(dest="command", required=True)
    arguments = sys.argv[1:] if arguments is None else arguments
    for name, (add, run, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name in arguments[:1]:  # options of some commands need modules that take seconds to import
            add(command)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, RuntimeError, FileNotFoundError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


# ---- options that commands share -----------------------------------------------------------------------


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--adapter", help='folder or hub id, or "none"')
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", help="float32 (default: all methods agree exactly) or bfloat16")


def _sampling_options(parser: argparse.ArgumentParser) -> None:
    defaults = SamplingConfig()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=defaults.temperature)
    parser.add_argument("--top-k", type=int, default=defaults.top_k, help="0: off")
    parser.add_argument("--top-p", type=float, default=defaults.top_p, help="1: off")
    parser.add_argument("--num-speculative-tokens", type=int)
    parser.add_argument("--draft-budget", default="auto", help='u-slots per call, or "auto"')


def _budget(text: str) -> int | str:
    if text != "auto" and not text.isdigit():
        raise ValueError(f'--draft-budget is "auto" or a whole number, got {text!r}.')
    return text if text == "auto" else int(text)


def _load(options: argparse.Namespace, **changes: bool) -> PTPModel:
    from .load import load_model

    with _Bar() as bar:
        return load_model(
            options.model, options.adapter, device=options.device, dtype=options.dtype, progress=bar.update, **changes
        )


class _Bar:
    """A progress bar on standard error, on a terminal and only for what takes a while."""

    def __enter__(self) -> _Bar:
        from tqdm import tqdm

        self._bar = tqdm(total=100, unit="%", leave=False, delay=2, disable=not sys.stderr.isatty())
        return self

    def update(self, share: float, text: str) -> None:
        self._bar.set_description(text)
        self._bar.update(int(100 * share) - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


# ---- generate --------------------------------------------------------------------------------------------


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt")
    parser.add_argument("--method", default="pqd", help="ar, ptp, pqd, independent or prompt_lookup")
    _sampling_options(parser)
    parser.add_argument("--order", choices=ORDERS, help="CDF order; default: the adapter's")
    parser.add_argument("--filter", choices=FILTERS, default="standard")
    parser.add_argument("--plain", action="store_true", help="take the prompt as it is, without the chat template")
    parser.add_argument("--trace", metavar="FILE", help="write the trace as JSON")
    _model_options(parser)


def _generate(options: argparse.Namespace) -> None:
    if not options.prompt.strip():
        raise ValueError("The prompt is empty.")
    budget, noise = _budget(options.draft_budget), NoiseTape(options.seed)
    sampling = SamplingConfig(options.temperature, options.top_k, options.top_p, filter=options.filter)

    from .decode import generate

    model = _load(options)
    order = options.order or (model.adapter.order if model.adapter else sampling.order)
    trace = generate(
        model,
        model.encode(options.prompt, chat=not options.plain),
        options.method,
        noise,
        replace(sampling, order=order),
        prompt=options.prompt,
        max_new_tokens=options.max_new_tokens,
        num_speculative_tokens=options.num_speculative_tokens,
        draft_budget=budget,
    )
    print(trace.text)
    stats = trace.stats
    print(
        f"{trace.method}: {stats.num_tokens} tokens in {stats.num_calls} calls, {stats.tokens_per_call:.2f} per call, "
        f"{stats.tokens_per_second:.1f} tokens/s, {trace.device} {trace.dtype}, seed {options.seed}",
        file=sys.stderr,
    )
    for note in trace.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.trace:
        trace.to_json(options.trace)


# ---- bench -----------------------------------------------------------------------------------------------


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--questions", required=True, metavar="FILE", help="JSONL with turns or prompt")
    parser.add_argument("--limit", type=int, help="so many questions, evenly over the file")
    parser.add_argument("--methods", default="ar,pqd", help="comma-separated; also hf_generate, hf_prompt_lookup")
    _sampling_options(parser)
    parser.add_argument("--json", required=True, metavar="OUT", help="result; rows so far are in OUT.rows.jsonl")
    _model_options(parser)


def _bench(options: argparse.Namespace) -> None:
    from .bench import BenchConfig, load_questions, run_bench, write_report
    from .figures import markdown_table

    budget = _budget(options.draft_budget)
    config = from_options(BenchConfig, options, methods=tuple(options.methods.split(",")), draft_budget=budget)
    questions = load_questions(options.questions, options.limit)
    model = _load(options)
    out = Path(options.json)
    with _Bar() as bar:
        rows = run_bench(
            model,
            questions,
            config,
            out.with_name(out.name + ".rows.jsonl"),
            lambda done, total, what: bar.update(done / total, what),
        )
    print(markdown_table(write_report(out, model, config, rows)["methods"]))


# ---- data, training, calibration ---------------------------------------------------------------------------


def _add_data(parser: argparse.ArgumentParser) -> None:
    from .data import DataRecipe

    parser.add_argument("out", help="folder of the conversations; a folder that has some is continued")
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--device", default="auto")
    add_options(parser, DataRecipe)


def _data(options: argparse.Namespace) -> None:
    from .data import DataRecipe, data_sha256, generate_data, load_conversations

    options.adapter, options.dtype = "none", "bfloat16"
    folder = generate_data(_load(options, quick=False), from_options(DataRecipe, options), options.out)
    rows = load_conversations(folder)
    answers = sum(len(row.ids) - row.p for row in rows)
    print(f"{len(rows)} conversations, {answers} answer tokens, sha256 {data_sha256(folder)}")


def _add_train(parser: argparse.ArgumentParser) -> None:
    from .train import TrainConfig

    parser.add_argument("objective", choices=("distill", "inverse", "independent"),
                        help="inverse: without a teacher; independent: the u-blind baseline")  # fmt: skip
    add_options(parser, TrainConfig, skip=("objective",))


def _train(options: argparse.Namespace) -> None:
    from .train import TrainConfig, train

    kinds = {
        "inverse": {"variant": "c-ptp", "objective": "inverse"},
        "independent": {"variant": "independent", "u_embedding": "blank", "objective": "distill"},
    }
    result = train(from_options(TrainConfig, options, **kinds.get(options.objective, {})))
    print(json.dumps(result.to_json()))


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="ADAPTER", help="its ptp_config.json is rewritten")
    parser.add_argument("--data", required=True, help="conversations; held-out prompts are decoded")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--device", default="auto")


def _calibrate(options: argparse.Namespace) -> None:
    from .calibrate import calibrate, with_calibration
    from .checkpoint import rewrite_config
    from .data import load_conversations, split_held_out

    rows = split_held_out(load_conversations(options.data))[1][: options.limit]
    options.adapter, options.dtype = options.folder, "auto"
    model = _load(options)
    config = model.require_adapter()
    samplings = [SamplingConfig(row.temperature, order=config.order) for row in rows]
    found = calibrate(model, [row.ids[: row.p] for row in rows], samplings, seed=options.seed)
    rewrite_config(options.folder, with_calibration(config, found))
    clean, rejected = ([round(p, 3) for p in run] for run in (found.draft_run, found.draft_run_rejected))
    print(f"P(N >= k) {clean}, after a rejection {rejected}")
    print(f"calibration error {found.error:.3f} over {found.drafts} drafts")


COMMANDS = {
    "generate": (_add_generate, _generate, "decode one prompt"),
    "bench": (_add_bench, _bench, "run a question set over several methods"),
    "data": (_add_data, _data, "let the model write conversations to train on"),
    "train": (_add_train, _train, "train an adapter"),
    "calibrate": (_add_calibrate, _calibrate, "measure what an adapter's drafts are worth"),
}


if __name__ == "__main__":
    sys.exit(main())
