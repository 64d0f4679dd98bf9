"""python -m app.learn.record [NAME ...]: makes the recorded data of the Learn page with the default model.

dice: every text of eight words that eight six-sided dice can give behind one prompt.
strip: the words that may follow one short text, with their probabilities.
pqd: one answer by partial quadratic decoding as in the paper, call by call.
squares: the lab's own slots while they learn the toy world.
contexts: words of the shipped results, in their sentences, by entropy and by margin.
"""

from __future__ import annotations

import bisect
import json
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ptp_core import NoiseTape, PTPModel, SamplingConfig, Trace, generate, load_model
from ptp_core.benchmark.acceptance import ENTROPY_EDGES, MARGIN_EDGES
from ptp_core.decoding.drafters.branches import expected_gain
from ptp_core.decoding.drafters.slots import allocator_runs
from ptp_core.decoding.settings import DecodeSettings
from ptp_core.methods import BASELINE, PAPER_METHOD
from ptp_core.packed_files import find_packed, read_packed
from ptp_core.sampling import candidates
from ptp_core.toys.word_pairs import (
    FIRST,
    SECOND,
    VARIANTS,
    ToyConfig,
    best_independent,
    invalid_share,
    make_world,
    run_toy,
)

from .data import SERIES
from .events import SIDE, measured
from .facts import RESULT, RESULTS_FOLDER
from .recordings import keep

DICE_PROMPT = "Write one short sentence about a cat."
STRIP_PROMPT = "The little dog ran to the"
PQD_PROMPT = "Write a Python function that checks whether a word is a palindrome."
NUM_DICE, NUM_FACES = 8, 6
PQD_BUDGET, PQD_DRAFTS, PQD_TOKENS = 8, 5, 64
SQUARE_STEPS, SQUARE_EVERY = 400, 20
_ROWS_PER_CALL = 256


def face_u(face: int) -> float:
    """The u of a die's face 1..6: the middle of its sixth."""
    return (face - 0.5) / NUM_FACES


@torch.inference_mode()
def dice_tree(model: PTPModel, ids: list[int], depth: int, sampling: SamplingConfig) -> dict[str, Any]:
    """The text of `depth` tokens behind ids for every sequence of faces, as a tree of the target's own picks.

    nodes[i] = [first child, token of face 1, ..., token of face 6], tokens as indices of `words`. A node's children
    stand one behind the other, in the order in which their tokens first appear in it; -1 where it has none.
    """
    faces = torch.tensor([face_u(face) for face in range(1, NUM_FACES + 1)])
    words: dict[str, int] = {}
    nodes: list[list[int]] = []
    cache = model.new_cache(len(ids) + 20_000)
    layout = torch.ones(len(ids), len(ids)).tril().bool()
    hidden = model(torch.tensor([ids]), positions=torch.arange(len(ids)), mask=layout, cache=cache)
    cache.keep(len(ids))
    logits = model.logits(hidden[0, -1:])  # of this level's nodes
    paths: list[list[int]] = [[]]  # the rows of the cache that hold each node's own tokens
    for level in range(1, depth + 1):
        tokens: list[int] = []
        parents: list[list[int]] = []
        first_child = len(nodes) + len(paths)
        for path, row in zip(paths, logits, strict=True):
            found = candidates(row[None].expand(NUM_FACES, -1), sampling)
            picked = found.tokens.gather(1, found.find(faces)[:, None]).squeeze(1).tolist()
            child = first_child + len(tokens) if level < depth else -1
            nodes.append([child, *(words.setdefault(model.label(token), len(words)) for token in picked)])
            new = list(dict.fromkeys(picked))
            tokens += new
            parents += [path] * len(new)
        print(f"dice: {len(nodes)} distributions after {level} words", file=sys.stderr)
        if level < depth:
            logits, paths = _read(model, cache, len(ids), tokens, parents)
    return {"words": list(words), "nodes": nodes}


def _read(
    model: PTPModel, cache: Any, num_prompt: int, tokens: list[int], parents: list[list[int]]
) -> tuple[Tensor, list[list[int]]]:
    """Logits (R, V) behind each of R tokens, which see the prompt, their parents' rows and themselves; their rows."""
    logits, paths = [], []
    for start in range(0, len(tokens), _ROWS_PER_CALL):
        part, above = tokens[start : start + _ROWS_PER_CALL], parents[start : start + _ROWS_PER_CALL]
        rows = range(cache.length, cache.length + len(part))
        mask = torch.zeros(len(part), rows.stop, dtype=torch.bool)
        mask[:, :num_prompt] = True
        for i, path in enumerate(above):
            mask[i, [*path, rows[i]]] = True
            paths.append([*path, rows[i]])
        positions = torch.full((len(part),), num_prompt + len(above[0]))
        hidden = model(torch.tensor([part]), positions=positions, mask=mask, cache=cache)
        cache.keep(rows.stop)
        logits.append(model.logits(hidden[0]))
    return torch.cat(logits), paths


def dice(model: PTPModel) -> dict[str, Any]:
    """dice_tree of the page's prompt, with the distributions along the dice that the page opens with."""
    sampling = SamplingConfig()
    ids = model.encode(DICE_PROMPT, chat=True)
    tree = dice_tree(model, ids, NUM_DICE, sampling)
    return {"prompt": DICE_PROMPT, "model": model.name, "sampling": sampling.to_json(), **tree}


def strip(model: PTPModel) -> dict[str, Any]:
    """The final distribution behind the page's short text: [word, probability], the likeliest first."""
    sampling = SamplingConfig()
    found = candidates(model.target_logits(model.encode(STRIP_PROMPT))[-1:], sampling)
    pairs = zip(found.tokens[0].tolist(), found.probs[0].tolist(), strict=True)
    words = [[model.label(token), round(prob, 5)] for token, prob in pairs if prob > 0]
    return {"prompt": STRIP_PROMPT, "model": model.name, "sampling": sampling.to_json(), "words": words}


def pqd(model: PTPModel) -> dict[str, Any]:
    """One answer by the paper's slots in branches, without the chain head, and what its allocator expects of slots."""
    config = model.require_adapter()
    settings = DecodeSettings(PQD_TOKENS, PQD_DRAFTS, PQD_BUDGET, chained=False)
    ids = model.encode(PQD_PROMPT, chat=True)
    noise, sampling = NoiseTape(7), SamplingConfig()
    trace = generate(model, ids, PAPER_METHOD, noise, sampling, prompt=PQD_PROMPT, settings=settings)
    plain = generate(model, ids, BASELINE, noise, sampling, max_new_tokens=PQD_TOKENS, details=False)
    if plain.tokens != trace.tokens:
        raise RuntimeError("The recorded text differs from plain decoding: it must not be kept.")
    clean, rejected = allocator_runs(model, chained=False)
    most = PQD_DRAFTS + config.num_settled
    return {
        "prompt": PQD_PROMPT, "model": model.name, "adapter": config.name, "seed": noise.seed,
        "sampling": sampling.to_json(), "budget": PQD_BUDGET,
        "gain": expected_gain(clean, config.num_settled, most),
        "gain_rejected": expected_gain(rejected, config.num_settled, most),
        "steps": _steps(trace),
    }  # fmt: skip


def _steps(trace: Trace) -> list[dict[str, Any]]:
    """Calls as the page shows them: drafts, branches, and each emitted token with its strip."""
    return [
        {
            "accepted": step.num_accepted,
            "extra": step.extra_kind,
            "drafts": [[d.text, d.status, round(d.prob, 3)] for d in step.drafts],
            "branches": [
                {"right": b.num_assumed, "chance": round(b.probability, 4), "kept": b.kept,
                 "slots": b.num_slots, "drafts": [d.text for d in b.drafts]}
                for b in step.branches
            ],
            "emitted": [
                {"text": e.text, "u": round(e.u, 5), "left": round(e.left, 5), "right": round(e.right, 5),
                 "words": [[c.text, round(c.prob, 5)] for c in e.candidates if c.prob > 0.002]}
                for e in step.emitted
            ],
        }
        for step in trace.steps
    ]  # fmt: skip


def squares(model: PTPModel | None = None) -> dict[str, Any]:
    """The toy world, and the (u1, u2) square of each kind of slot as it learns that world."""
    world = make_world()
    nearest = best_independent(world)
    runs = {}
    for variant in VARIANTS:
        config = ToyConfig(variant, steps=SQUARE_STEPS, measure_every=SQUARE_EVERY, square=SIDE)
        runs[variant] = [measured(step) for step in run_toy(config, world)]
        print(f"squares: {variant} {runs[variant][-1]['invalid']:.2%} nonsense", file=sys.stderr)
    return {
        "first": [[word, round(float(p), 6)] for word, p in zip(FIRST, world.first, strict=True)],
        "second": [[round(float(p), 6) for p in row] for row in world.second],
        "words": list(SECOND),
        "nearest_invalid": invalid_share(nearest, world),
        "side": SIDE,
        "runs": runs,
    }


def contexts(model: PTPModel) -> dict[str, Any]:
    """Up to six tokens of each bin of entropy and of margin, told the dice: what stands around them, and whether
    the draft was right. The drafted words themselves are not in the results."""
    found = json.loads(read_packed(find_packed(RESULTS_FOLDER, f"{RESULT}.json")))
    method = next(iter(SERIES))
    bins: dict[str, list[list[dict[str, Any]]]] = {
        "entropy": [[] for _ in found["analysis"][method]["by_entropy"]],
        "margin": [[] for _ in found["analysis"][method]["by_margin"]],
    }
    rows = [row for row in found["rows"] if row["method"] == method and not row["point"]]
    random.Random(0).shuffle(rows)
    for row in rows:
        for call in row["calls"]:
            drafts = call.get("right", "")
            place = call["start"] + len(drafts) // 2
            if not drafts or place >= row["num_tokens"] or drafts[: len(drafts) // 2].count("1") < len(drafts) // 2:
                continue  # a draft counts where all before it were right
            if drafts[len(drafts) // 2] == "-":
                continue
            entropy, margin = row["entropy"][place], row["margin"][place]
            columns = {
                "entropy": bisect.bisect_right(ENTROPY_EDGES, entropy) - 1,
                "margin": len(bins["margin"]) - 1 if margin is None else bisect.bisect_right(MARGIN_EDGES, margin) - 1,
            }
            for kind, column in columns.items():
                _add(bins[kind][column], model, row["tokens"], place, drafts[len(drafts) // 2] == "1")
    return {"of": RESULT, "method": method, "examples": bins}


def _add(examples: list[dict[str, Any]], model: PTPModel, tokens: Sequence[int], place: int, right: bool) -> None:
    """One more example, three right and three wrong at most."""
    if sum(e["right"] == right for e in examples) >= 3:
        return
    before, text = model.decode(tokens[max(0, place - 12) : place]), model.decode(tokens[place : place + 1])
    after = model.decode(tokens[place + 1 : place + 7])
    if "\ufffd" not in before + text + after:
        examples.append({"before": before, "text": text, "after": after, "right": right})


RECORDINGS: dict[str, Callable[[PTPModel], dict[str, Any]]] = {
    "dice": dice,
    "strip": strip,
    "pqd": pqd,
    "squares": squares,
    "contexts": contexts,
}


def main(names: list[str]) -> int:
    """Makes the recordings of these names, or all. Returns the exit status."""
    unknown = [name for name in names if name not in RECORDINGS]
    if unknown:
        print(f"There is no recording {unknown[0]!r}; there are {', '.join(RECORDINGS)}.", file=sys.stderr)
        return 2
    model = load_model()
    for name in names or RECORDINGS:
        print(f"{name}: {keep(name, RECORDINGS[name](model)):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
