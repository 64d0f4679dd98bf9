"""Command line: python -m ptp_core generate "prompt" ... (see --help of each command)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .noise import NoiseTape
from .sampling import FILTERS, ORDERS, SamplingConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. Errors are one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m ptp_core", description="Parallel Token Prediction")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_generate(commands.add_parser("generate", help="decode one prompt"))
    _add_bench(commands.add_parser("bench", help="run a question set over several methods"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, RuntimeError, FileNotFoundError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _add_generate(parser: argparse.ArgumentParser) -> None:
    defaults = SamplingConfig()
    parser.add_argument("prompt")
    parser.add_argument("--method", default="pqd", help="ar, ptp, pqd, independent or prompt_lookup")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=defaults.temperature)
    parser.add_argument("--top-k", type=int, default=defaults.top_k, help="0: off")
    parser.add_argument("--top-p", type=float, default=defaults.top_p, help="1: off")
    parser.add_argument("--order", choices=ORDERS, help="CDF order; default: the adapter's")
    parser.add_argument("--filter", choices=FILTERS, default=defaults.filter)
    parser.add_argument("--num-speculative-tokens", type=int)
    parser.add_argument("--draft-budget", default="auto", help='u-slots per call, or "auto"')
    parser.add_argument("--plain", action="store_true", help="take the prompt as it is, without the chat template")
    parser.add_argument("--trace", metavar="FILE", help="write the trace as JSON")
    add_model_options(parser)
    parser.set_defaults(run=_generate)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that loads a model."""
    parser.add_argument("--model", help="folder or hub id; default: SmolLM2-135M-Instruct")
    parser.add_argument("--adapter", help='folder or hub id, or "none"')
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", help="float32 (default: all methods agree exactly) or bfloat16")


def _generate(options: argparse.Namespace) -> None:
    budget = _parse_budget(options.draft_budget)
    if not options.prompt.strip():
        raise ValueError("The prompt is empty.")
    noise = NoiseTape(options.seed)
    sampling = SamplingConfig(options.temperature, options.top_k, options.top_p, filter=options.filter)

    from dataclasses import replace

    from .decode import generate
    from .load import load_model

    with _Bar() as bar:
        model = load_model(
            options.model, options.adapter, device=options.device, dtype=options.dtype, progress=bar.update
        )
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


def _add_bench(parser: argparse.ArgumentParser) -> None:
    defaults = SamplingConfig()
    parser.add_argument("--questions", required=True, metavar="FILE", help="JSONL with turns or prompt")
    parser.add_argument("--limit", type=int, help="so many questions, evenly over the file")
    parser.add_argument("--methods", default="ar,pqd", help="comma-separated; also hf_generate, hf_prompt_lookup")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=defaults.temperature)
    parser.add_argument("--top-k", type=int, default=defaults.top_k)
    parser.add_argument("--top-p", type=float, default=defaults.top_p)
    parser.add_argument("--num-speculative-tokens", type=int)
    parser.add_argument("--draft-budget", default="auto")
    parser.add_argument("--json", required=True, metavar="OUT", help="result; rows so far are in OUT.rows.jsonl")
    add_model_options(parser)
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    from pathlib import Path

    from .bench import BenchConfig, load_questions, markdown_table, run_bench, write_report
    from .load import load_model

    config = BenchConfig(
        tuple(options.methods.split(",")),
        options.max_new_tokens,
        options.seed,
        options.temperature,
        options.top_k,
        options.top_p,
        options.num_speculative_tokens,
        _parse_budget(options.draft_budget),
    )
    questions = load_questions(options.questions, options.limit)
    with _Bar() as bar:
        model = load_model(
            options.model, options.adapter, device=options.device, dtype=options.dtype, progress=bar.update
        )
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


def _parse_budget(text: str) -> int | str:
    if text != "auto" and not text.isdigit():
        raise ValueError(f'--draft-budget is "auto" or a whole number, got {text!r}.')
    return text if text == "auto" else int(text)


class _Bar:
    """A progress bar on standard error while weights are brought and loaded; silent if that is quick."""

    def __enter__(self) -> _Bar:
        from tqdm import tqdm

        self._bar = tqdm(total=100, unit="%", leave=False, delay=2, disable=not sys.stderr.isatty())
        return self

    def update(self, share: float, text: str) -> None:
        self._bar.set_description(text)
        self._bar.update(int(100 * share) - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


if __name__ == "__main__":
    sys.exit(main())
