"""Command line: python -m ptp_core COMMAND (see --help of each)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .noise import NoiseTape
from .options import Bar, from_options, load_for
from .sampling import FILTERS, ORDERS, SamplingConfig
from .training_commands import TRAINING_COMMANDS


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

    model = load_for(options)
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
    model = load_for(options)
    out = Path(options.json)
    with Bar() as bar:
        rows = run_bench(
            model,
            questions,
            config,
            out.with_name(out.name + ".rows.jsonl"),
            lambda done, total, what: bar.update(done / total, what),
        )
    print(markdown_table(write_report(out, model, config, rows)["methods"]))


COMMANDS = {
    "generate": (_add_generate, _generate, "decode one prompt"),
    "bench": (_add_bench, _bench, "run a question set over several methods"),
    **TRAINING_COMMANDS,
}


if __name__ == "__main__":
    sys.exit(main())
