import dataclasses
import hashlib
import re
import zipfile

import numpy as np
import pytest

from ptp_core.training.pretraining.sequences import openings
from ptp_core.training.pretraining.texts import HELD_OUT, clean, fetch, read_texts, sources
from ptp_core.training.pretraining.vocabulary import END, as_tokens, train_tokenizer

CODE = "import os\n\n\ndef name(path):\n    return os.path.basename(path)\n" * 8
PERMISSIVE = {"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MIT OR Apache-2.0"}


def wheel(folder, name, files):
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


def test_recipe_pins_every_package():
    found = sources()
    assert len({source.name for source in found}) == len(found) > 50
    for source in found:
        assert re.fullmatch("[0-9a-f]{64}", source.sha256) and source.license in PERMISSIVE
        assert source.file.startswith(f"{source.name}-{source.version}-") and source.file.endswith("none-any.whl")


def test_a_file_of_another_hash_is_refused(tmp_path):
    path = wheel(tmp_path, "box", {"box/a.py": CODE})
    mine = dataclasses.replace(sources()[0], name="box", file=path.name)
    right = dataclasses.replace(mine, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert fetch(tmp_path, [right]) == [path]
    with pytest.raises(RuntimeError, match="not the recipe's file"):
        fetch(tmp_path, [mine])


def test_a_package_that_cannot_be_had_is_named(tmp_path):
    gone = dataclasses.replace(sources()[0], name="no-such-package-of-the-lab", file="none.whl")
    with pytest.raises(RuntimeError, match="no-such-package-of-the-lab"):
        fetch(tmp_path, [gone])


def test_texts_are_a_function_of_the_files(tmp_path):
    numbered = {f"a/{i}.py": f"number = {i}\n{CODE}" for i in range(300)}
    first = wheel(tmp_path, "a", numbered)
    second = wheel(tmp_path, "b", {"b/same.py": f"number = 7\n{CODE}", "b/own.py": f"letters = 1\n{CODE}"})
    train, held_out = read_texts([first, second])
    again = read_texts([second, first])
    assert (sorted(train), sorted(held_out)) == tuple(map(sorted, again))
    assert len(train) + len(held_out) == 301  # the text that both have counts once
    assert 0 < len(held_out) < 4 * 301 / HELD_OUT
    few, _ = read_texts([first], per_package=2000)
    assert 1 <= len(few) <= 6


def test_cleaning_leaves_code_alone():
    head = "# Copyright 2020 The Authors. All rights reserved.\n#\n\n"
    assert clean((head + CODE).encode()) == CODE
    assert clean(("# A note that stays.\n" + CODE).encode()) == "# A note that stays.\n" + CODE
    assert clean(CODE.replace("    ", "\t").encode()) == CODE
    assert clean(b"\xff" * 600) is None
    assert clean(("x = [" + "1, " * 400 + "]\n" + CODE).encode()) is None
    assert clean(("t = '" + "\u4e2d" * 100 + "'\n" + CODE).encode()) is None


def test_tokens_give_the_texts_back():
    texts = [CODE, "naïve = '→'\n"]
    tokenizer = train_tokenizer(texts, 300)
    row = as_tokens(tokenizer, texts)
    assert tokenizer.token_to_id(END) == 0 and list(row).count(0) == 2 and row[0] == 0
    cut = list(row).index(0, 1)
    assert [tokenizer.decode([int(t) for t in part]) for part in (row[1:cut], row[cut + 1 :])] == texts


def test_openings_are_spread_over_the_held_out_texts_and_cross_no_end():
    row = np.arange(1, 5001)
    row[::70] = 0
    found = openings(row, count=100)
    assert 10 < len(found) < 100
    assert {len(each.ids) for each in found} <= set(range(16, 96))
    assert all(0 not in each.ids and each.p == len(each.ids) for each in found)
    assert found[0].ids[0] < 1000 and found[-1].ids[0] > 3500
    assert len(openings(np.arange(1, 9001), count=100)) == 100
