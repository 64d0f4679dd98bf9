"""What the Learn page's figures are made of."""

import json

import pytest
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer

from app.learn.data import GLOSSARY, SOURCES, glossary, learn_data
from app.learn.facts import facts
from app.learn.record import dice_tree, face_u
from app.learn.recordings import FOLDER, MOST_BYTES, NAMES, keep, recorded
from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.model.ptp_model import PTPModel
from ptp_core.toys.word_pairs import SECOND, best_independent, invalid_share, make_world


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_there_and_small(name):
    text = learn_data(name)
    assert json.loads(text)
    assert len(text.encode()) <= MOST_BYTES


def test_recordings_are_those_of_the_folder():
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.json" for name in NAMES}
    with pytest.raises(KeyError):
        recorded("../dice")


def test_a_recording_that_is_too_large_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("app.learn.recordings.FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"dice has 400,002 bytes"):
        keep("dice", "x" * 400_000)
    assert list(tmp_path.iterdir()) == []
    assert keep("dice", {"a": 1}) == 7


def test_the_glossary_has_one_entry_a_name():
    entries = glossary()
    forms = [form.lower() for entry in entries for form in (entry["name"], *entry["also"])]
    assert len(forms) == len(set(forms)) > 60
    assert all(entry["text"].endswith(".") for entry in entries)
    wanted = (
        "slot placeholder branch window budget margin anchor corrected verify target draft u slice Pick PQD acceptance"
    )
    assert {w.lower() for w in wanted.split()} <= set(forms)


def test_a_line_of_the_glossary_that_is_no_entry_is_named(tmp_path, monkeypatch):
    broken = tmp_path / "glossary.md"
    broken.write_text(GLOSSARY.read_text() + "- **slot** without a colon\n")
    monkeypatch.setattr("app.learn.data.GLOSSARY", broken)
    with pytest.raises(ValueError, match="no entry"):
        glossary()


def test_the_tree_of_dice_says_what_decoding_writes():
    """Every sequence of faces gives the text of plain decoding with the same u's."""
    model = PTPModel(make_target(), make_tokenizer(), make_adapter()).eval()
    sampling = SamplingConfig(1.0, 5, 0.95)
    ids = model.encode("ab cd")
    tree = dice_tree(model, ids, 3, sampling)
    generator = torch.Generator().manual_seed(1)
    for faces in torch.randint(1, 7, (25, 3), generator=generator).tolist():
        noise = NoiseTape.from_values([face_u(face) for face in faces])
        trace = generate(model, ids, "ar", noise, sampling, max_new_tokens=3, details=False)
        node, words = 0, []
        for face in faces:
            first, *picks = tree["nodes"][node]
            words.append(tree["words"][picks[face - 1]])
            node = first + list(dict.fromkeys(picks)).index(picks[face - 1]) if first >= 0 else -1
        told = [model.label(token) for token in trace.tokens]
        assert words[: len(told)] == told


def test_the_recorded_race_of_branches_holds_together():
    found = recorded("pqd")
    for step in found["steps"]:
        assert sum(branch["slots"] for branch in step["branches"]) <= found["budget"]
        assert len(step["emitted"]) <= step["accepted"] + 1
        if step["branches"]:
            assert sum(branch["kept"] for branch in step["branches"]) <= 1
        for (text, status, _), told in zip(step["drafts"], step["emitted"], strict=False):
            assert (text == told["text"]) == (status == "accepted")
        for told in step["emitted"]:
            assert told["left"] - 1e-4 <= told["u"] <= told["right"] + 1e-4


def test_the_lab_s_slots_learned_and_the_untold_one_did_not():
    runs = recorded("squares")["runs"]
    assert set(runs) == {"o-ptp", "c-ptp", "inverse", "independent"}
    for variant, steps in runs.items():
        assert (steps[-1]["invalid"] < 0.01) == (variant != "independent")
    assert runs["independent"][-1]["invalid"] > 0.55


def test_what_the_words_say_of_the_dice_is_what_the_results_say():
    """Chapter 9 and docs/results.md quote one measurement, and its finding still stands: u is worth nothing yet."""
    found = facts()
    results = (GLOSSARY.parent / "results.md").read_text(encoding="utf-8")
    row = next(line for line in results.splitlines() if line.startswith(f"| {found['temperature']} |"))
    told, _, blind, rolled, _ = [cell.split()[0] for cell in row.split("|")[2:-1]]
    assert (found["told"], found["blind"], found["rolled"]) == (told, blind, rolled)
    assert float(told) <= float(blind) + 0.03  # else the chapter's words are no longer true
    assert float(found["small_told"]) > float(found["small_blind"]) + 0.1  # there the dice pay
    assert float(rolled) < float(told) - 0.1  # the weak baseline: beside it the dice look like a gain
    assert f"Shallow slots run at {found['ahead_speed']} times plain decoding" in results
    assert f"with lookup at {found['with_copies']} times" in results


def test_numbers_of_the_toy_world_are_computed_from_its_recording():
    found, world = facts(), make_world()
    mix = (world.first[:, None] * world.second).sum(0)
    impossible = (world.first[:, None] * (world.second == 0)).sum(0)
    assert found["apart"] == f"{100 * invalid_share(world.first[:, None] * mix, world):.0f} %"
    assert found["stubborn"] == f"{100 * float(impossible.min()):.0f} %"
    assert found["stubborn_word"] == SECOND[int(impossible.argmin())]
    assert found["nearest"] == f"{100 * invalid_share(best_independent(world), world):.0f} %"
    doc = (GLOSSARY.parent / "learn.md").read_text(encoding="utf-8")
    assert all(f"**{found[name]}" in doc for name in ("apart", "stubborn", "nearest"))


def test_figures_follow_the_shipped_results():
    series = json.loads(learn_data("results"))["series"]
    assert len(series) == 2
    assert len(series[0]["margin"]) == len(recorded("contexts")["examples"]["margin"])
    costs = json.loads(learn_data("costs"))
    assert costs["budgets"][0] == {"budget": 0, "tokens_per_call": 1.0, "positions": 1.0}
    assert [b["budget"] for b in costs["budgets"]] == sorted(b["budget"] for b in costs["budgets"])
