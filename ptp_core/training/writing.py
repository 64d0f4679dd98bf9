"""Conversations that the teacher writes itself, for training and held-out evaluation.

    prompts    the model's own (prompt_kinds.py), a JSONL file, or a Hugging Face data set
    answers    sampled from the target in batches, at the temperature that each row records
    storage    shard-00000.jsonl.gz, ...: a JSON row {ids, p, kind, temperature} per conversation, with
               ids = tokens of prompt and answer and p = length of the prompt; recipe.json beside them

A shard is a function of the recipe and its number, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..json_text import parse_json
from ..model.ptp_model import PTPModel
from ..sampling import SamplingConfig
from ..text_files import read_text
from .batch_sampling import Request, complete
from .conversations import Conversation
from .prompt_kinds import KINDS, NAMES, PASSAGE_OPENINGS, QUESTION_OPENINGS, TOPICS

WRITING = SamplingConfig(temperature=1.0, top_k=400, top_p=0.95)  # how the model writes prompts
_MARK = "\u241e"  # stands for the user's turn while the chat template is taken apart
_MIN_ANSWER = 8
_FOLLOW_UPS = ("", "", "Can you", "Thanks!", "What about", "Now", "Why", "And", "Rewrite", "Make it")
Message = dict[str, str]
_MIN_QUESTION = 6  # characters
_LARGEST = 1 << 20  # bytes of a prompt's row


@dataclass(frozen=True)
class DataRecipe:
    """Everything that decides what is generated. top_k and top_p hold for the answers."""

    seed: int = 0
    conversations: int = 5000
    shard_size: int = 400
    source: str = "self"  # "self", a JSONL file, or "hub:NAME[:split]"
    field: str = "prompt"  # the rows' field that holds the prompt, for the other two sources
    temperatures: tuple[float, ...] = (0.0, 0.3, 0.7, 0.7, 0.7, 1.0)  # of the answers, equally often
    top_k: int = 50
    top_p: float = 0.95
    max_prompt: int = 1800
    batch_size: int = 128

    def answering(self, temperature: float) -> SamplingConfig:
        return SamplingConfig(temperature, self.top_k, self.top_p)


def generate_data(model: PTPModel, recipe: DataRecipe, folder: str | os.PathLike[str]) -> Path:
    """Writes the recipe's shards that are not there yet; returns the folder. Safe to interrupt and call again.

    Raises ValueError if the folder holds data of another recipe or another model.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    _claim(path, {"model": model.name, "target": model.target_info, **asdict(recipe)})
    texts = None if recipe.source == "self" else read_prompts(recipe.source, recipe.field)
    total = -(-recipe.conversations // recipe.shard_size)
    with tqdm(total=total * recipe.shard_size, unit="conv", desc="generating") as bar:
        for number in range(total):
            file = path / f"shard-{number:05d}.jsonl.gz"
            if not file.exists():
                rows = generate_shard(model, recipe, number, texts, bar)
                part = file.with_suffix(".part")
                with gzip.open(part, "wt", encoding="utf-8") as out:
                    out.writelines(json.dumps(asdict(row), separators=(",", ":")) + "\n" for row in rows)
                part.replace(file)
            bar.update(recipe.shard_size)
    return path


def generate_shard(
    model: PTPModel, recipe: DataRecipe, number: int, texts: Sequence[str] | None = None, bar: tqdm | None = None
) -> list[Conversation]:
    """Conversations of one shard: questions first, then the answers, in batches. Unusable ones are left out."""
    draw = random.Random(f"{recipe.seed}/{number}")
    tokens, start = 0, time.monotonic()

    def report(count: int) -> None:
        nonlocal tokens
        tokens += count
        if bar is not None:
            bar.set_postfix_str(f"{tokens / max(time.monotonic() - start, 1e-9):.0f} tokens/s", refresh=False)
            bar.update(0)

    if texts is None:
        drafts = _write_questions(model, recipe, draw, report)
    else:
        mine = texts[number * recipe.shard_size : (number + 1) * recipe.shard_size]
        drafts = [("file", [{"role": "user", "content": text}]) for text in mine]
    requests, kept = [], []
    for kind, messages in drafts:
        ids = model.encode_messages(messages)
        temperature = draw.choice(recipe.temperatures)
        limit = KINDS[kind].max_answer if kind in KINDS else 192
        if len(ids) <= min(recipe.max_prompt, model.max_context - limit):
            requests.append(Request(ids, recipe.answering(temperature), limit, draw.getrandbits(60)))
            kept.append((kind, temperature))
    answers = complete(model, requests, recipe.batch_size, report=report)
    return [
        Conversation(request.prompt + answer, len(request.prompt), kind, temperature)
        for request, answer, (kind, temperature) in zip(requests, answers, kept, strict=True)
        if len(answer) >= _MIN_ANSWER
    ]


def _write_questions(
    model: PTPModel, recipe: DataRecipe, draw: random.Random, report: Callable[[int], None]
) -> list[tuple[str, list[Message]]]:
    """Users' turns that the model writes from prompt_kinds.py; for two turns, with an answer between."""
    names = draw.choices(list(KINDS), [kind.share for kind in KINDS.values()], k=recipe.shard_size)
    openings = [_fill(draw, draw.choice(KINDS[name].openings)) for name in names]
    openings = _with_passages(model, recipe, draw, names, openings, report)
    talks: list[list[Message]] = [[] for _ in names]
    for turn in range(max(KINDS[name].turns for name in names)):
        going = [i for i, name in enumerate(names) if KINDS[name].turns > turn and (turn == 0 or talks[i])]
        if turn:
            answers = [Request(model.encode_messages(talks[i]), recipe.answering(0.7), 128, _seed(draw)) for i in going]
            for i, answer in zip(going, complete(model, answers, recipe.batch_size, report=report), strict=True):
                talks[i].append({"role": "assistant", "content": model.decode(answer).strip()})
        starts = [openings[i] if turn == 0 else draw.choice(_FOLLOW_UPS) for i in going]
        turns = _continue_turns(
            model, recipe, draw, [talks[i] for i in going], starts, [names[i] for i in going], report
        )
        for i, text in zip(going, turns, strict=True):
            talks[i] = [*talks[i], {"role": "user", "content": text}] if len(text) >= _MIN_QUESTION else []
    return [(name, talk) for name, talk in zip(names, talks, strict=True) if talk]


def _with_passages(
    model: PTPModel, recipe: DataRecipe, draw: random.Random, names: Sequence[str], openings: Sequence[str],
    report: Callable[[int], None],
) -> list[str]:  # fmt: skip
    """Puts a text that the model writes in place of each {passage}.

    Where a kind asks for several texts, texts of other conversations follow. Such long prompts cost no further writing.
    """
    wanted = [i for i, opening in enumerate(openings) if "{passage}" in opening]
    starts = [_fill(draw, draw.choice(PASSAGE_OPENINGS)) for _ in wanted]
    lengths = [draw.randint(*KINDS[names[i]].passage_tokens) for i in wanted]
    requests = [
        Request(model.encode(start), WRITING, length, _seed(draw))
        for start, length in zip(starts, lengths, strict=True)
    ]
    filled = list(openings)
    texts = complete(model, requests, recipe.batch_size, stop=False, report=report)
    written = [f"{start}{model.decode(tokens)}".strip() for start, tokens in zip(starts, texts, strict=True)]
    for i, own in zip(wanted, written, strict=True):
        others = [text for text in written if text is not own]
        count = min(draw.randint(*KINDS[names[i]].passages) - 1, len(others))
        filled[i] = filled[i].replace("{passage}", "\n".join([own, *draw.sample(others, count)]))
    return filled


def _continue_turns(
    model: PTPModel, recipe: DataRecipe, draw: random.Random, talks: Sequence[Sequence[Message]],
    openings: Sequence[str], names: Sequence[str], report: Callable[[int], None],
) -> list[str]:  # fmt: skip
    """Users' turns that begin with the openings; an opening that is a whole turn already stays as it is."""
    texts = list(openings)
    requests, places = [], []
    for i, (talk, opening, name) in enumerate(zip(talks, openings, names, strict=True)):
        if KINDS[name].passage_tokens[1] and not opening.endswith(QUESTION_OPENINGS):
            continue
        head = model.render_messages([*talk, {"role": "user", "content": _MARK}]).partition(_MARK)[0]
        places.append(i)
        requests.append(Request(model.tokenize(head + opening), WRITING, KINDS[name].max_question, _seed(draw)))
    for i, tokens in zip(places, complete(model, requests, recipe.batch_size, report=report), strict=True):
        texts[i] = f"{openings[i]}{model.decode(tokens)}".strip()
    return texts


def _fill(draw: random.Random, opening: str) -> str:
    topic, name, other = draw.choice(TOPICS), draw.choice(NAMES), draw.choice(NAMES)
    words = {"topic": topic, "Topic": topic[0].upper() + topic[1:], "name": name, "Name": name, "name2": other}
    words["question"] = draw.choice(QUESTION_OPENINGS)
    for key, value in words.items():
        opening = opening.replace(f"{{{key}}}", value)
    return opening


def _seed(draw: random.Random) -> int:
    return draw.getrandbits(60)


def read_prompts(source: str, field: str) -> list[str]:
    """Prompts of a JSONL file, or of a hub data set written "hub:NAME" or "hub:NAME:SPLIT".

    Raises ValueError for files without the field and for benchmark questions, which are never trained on.
    """
    if source.startswith("hub:"):
        rows: Iterable[Any] = _hub_rows(*source.removeprefix("hub:").partition(":")[::2])
    else:
        rows = (
            parse_json(line, "prompt", _LARGEST, f"A row of {source}")
            for line in read_text(source).split("\n")
            if line.strip()
        )
    texts = []
    for row in rows:
        if not isinstance(row, Mapping):
            raise ValueError(f"A row of {source} is no table of fields.")
        if "question_id" in row and "turns" in row:
            raise ValueError(f"{source} holds benchmark questions; they are for evaluation only.")
        if not isinstance(row.get(field), str):
            raise ValueError(f"A row of {source} has no text field {field!r}.")
        texts.append(row[field])
    return texts


def _hub_rows(name: str, split: str) -> Iterable[Any]:
    try:
        from datasets import load_dataset
    except ImportError:
        raise ValueError("Data sets of the hub need the package `datasets`: pip install datasets.") from None
    return load_dataset(name, split=split or "train")


def _claim(folder: Path, recipe: dict[str, Any]) -> None:
    """Writes recipe.json, or checks that the one there is the same; only the number of conversations may grow."""
    file = folder / "recipe.json"
    mine = json.loads(json.dumps(recipe))
    if file.exists():
        theirs = json.loads(file.read_text())
        different = [k for k in mine if mine[k] != theirs.get(k) and k not in ("conversations", "batch_size")]
        if different:
            raise ValueError(f"{folder} holds data of another recipe ({', '.join(different)} differ).")
    file.write_text(json.dumps(mine, indent=1) + "\n")
