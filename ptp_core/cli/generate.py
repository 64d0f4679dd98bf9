"""The command `generate`: decodes one prompt."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from ..decoding.settings import DecodeSettings
from ..methods import METHODS, PAPER_METHOD, method_called
from ..noise import NoiseTape
from ..sampling import COUPLINGS, FILTERS, ORDERS, SamplingConfig
from ..text_files import whole_characters
from .options import from_options, load_for, model_options, parsed_budget, sampling_options


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt")
    parser.add_argument("--method", default=PAPER_METHOD, help=", ".join(METHODS))
    sampling_options(parser)
    parser.add_argument("--order", choices=ORDERS, help="CDF order; default: the adapter's")
    parser.add_argument("--filter", choices=FILTERS, default="standard")
    parser.add_argument(
        "--coupling", choices=COUPLINGS, default=COUPLINGS[0],
        help="map from noise to tokens: one u per position, or a clock for each token",
    )  # fmt: skip
    parser.add_argument("--chain", action=argparse.BooleanOptionalAction, default=True, help="the adapter's chain head")
    parser.add_argument("--plain", action="store_true", help="take the prompt as it is, without the chat template")
    parser.add_argument("--trace", metavar="FILE", help="write the trace as JSON")
    model_options(parser)


def _generate(options: argparse.Namespace) -> None:
    prompt = whole_characters(options.prompt)
    if not prompt.strip():
        raise ValueError("The prompt is empty.")
    method_called(options.method)
    noise = NoiseTape(options.seed)
    settings = from_options(
        DecodeSettings, options, draft_budget=parsed_budget(options.draft_budget), chained=options.chain
    )  # fmt: skip
    sampling = SamplingConfig(
        options.temperature, options.top_k, options.top_p, filter=options.filter, coupling=options.coupling
    )

    from ..decoding.decode import generate
    from ..decoding.thread_choice import watch_threads

    watch_threads()
    model = load_for(options)
    order = options.order or (model.adapter.order if model.adapter else sampling.order)
    trace = generate(
        model,
        model.encode(prompt, chat=not options.plain),
        options.method,
        noise,
        replace(sampling, order=order),
        prompt=prompt,
        settings=settings,
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


GENERATE_COMMANDS = {"generate": (_add_generate, _generate, "decode one prompt")}
