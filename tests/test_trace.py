import copy
import json

import pytest

from ptp_core import NoiseTape, SamplingConfig, Trace, first_divergence, generate
from ptp_core.methods import METHODS
from ptp_core.model.tokenizer import PieceStream


@pytest.fixture
def trace(tiny):
    return generate(tiny, [3, 4], "pqd", noise=NoiseTape(4).with_value(1, 0.5), max_new_tokens=8, draft_budget=9)


@pytest.mark.parametrize("method", METHODS)
def test_round_trip_through_a_file(tiny, tmp_path, method):
    trace = generate(tiny, [3, 4], method, noise=NoiseTape(4).with_value(1, 0.5), max_new_tokens=8)
    trace.to_json(tmp_path / "t.json")
    assert Trace.from_json(tmp_path / "t.json") == trace
    assert Trace.from_json(tmp_path / "t.json").stats == trace.stats


def test_a_trace_says_whether_the_chain_head_was_left_aside(make_model, tmp_path):
    model = make_model(chain=16)
    for chained in (True, False):
        trace = generate(model, [3, 4, 5], "pqd", max_new_tokens=6, draft_budget=4, chained=chained)
        trace.to_json(tmp_path / "t.json")
        assert Trace.from_json(tmp_path / "t.json").chained is chained
    older = json.loads((tmp_path / "t.json").read_text())
    del older["chained"]
    (tmp_path / "t.json").write_text(json.dumps(older))
    assert Trace.from_json(tmp_path / "t.json").chained is True


def test_a_trace_says_how_drafts_without_u_were_made(make_model, tmp_path):
    model = make_model(variant="independent", kind="blank")
    for rule in ("argmax", "pick"):
        trace = generate(model, [3, 4, 5], "independent", max_new_tokens=6, draft_budget=4, draft_rule=rule)
        trace.to_json(tmp_path / "t.json")
        assert Trace.from_json(tmp_path / "t.json").draft_rule == rule
    assert generate(model, [3, 4, 5], "independent", max_new_tokens=6).draft_rule == "argmax"
    older = json.loads((tmp_path / "t.json").read_text())
    del older["draft_rule"]
    (tmp_path / "t.json").write_text(json.dumps(older))
    assert Trace.from_json(tmp_path / "t.json").draft_rule == "pick"


def test_keys_are_the_field_names(trace):
    data = trace.to_dict()
    assert list(data) == [
        "schema_version", "model", "adapter", "device", "dtype", "prompt", "prompt_tokens", "sampling", "noise",
        "method", "steps", "notes", "chained", "draft_rule",
    ]  # fmt: skip
    assert {"index", "kind", "drafts", "target_tokens", "num_accepted", "extra_token", "extra_kind", "emitted",
            "branches", "num_positions", "seconds"} == set(data["steps"][0])  # fmt: skip
    assert data["noise"]["edits"] == {"1": 0.5}


def test_hostile_text_survives(trace, tmp_path):
    data = trace.to_dict()
    hostile = "${1+41} \\ <script>alert(1)</script> \u202e\u200b{{value}}\u2028'\""
    data["prompt"] = hostile
    data["steps"][0]["emitted"][0]["text"] = hostile
    (tmp_path / "t.json").write_text(json.dumps(data))
    read = Trace.from_json(tmp_path / "t.json")
    assert read.prompt == read.emitted[0].text == hostile


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not whole JSON"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not text"),
        (b'{"schema_version": 1, "steps": [', "not whole JSON"),
        (b"[1, 2, 3]", "not a PTP Lab trace"),
        (b'{"hello": "world"}', "not a PTP Lab trace"),
        (b'{"schema_version": 99, "steps": []}', "version 99"),
        (b'{"schema_version": 1, "steps": []}', "incomplete"),
        (b"[" * 100_000, "nested|JSON"),
    ],
)
def test_foreign_and_truncated_files_get_a_sentence(tmp_path, content, reason):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        Trace.from_json(tmp_path / "t.json")
    assert str(error.value).endswith(".")


def damage(data, path, value):
    *parents, last = path
    for key in parents:
        data = data[key]
    data[last] = value


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["steps"], [], "no steps"),
        (["steps", 0, "emitted", 0, "u"], "high", "damaged at steps"),
        (["steps", 0, "emitted", 0, "u"], 1.5, "outside its bin"),
        (["steps", 0, "emitted", 0, "position"], 3, "token 0"),
        (["steps", 1, "index"], 7, "step 1"),
        (["steps", 1, "seconds"], float("nan"), "counts|seconds"),
        (["steps", 1, "num_accepted"], 99, "counts"),
        (["steps", 1, "kind"], "guess", "damaged at steps"),
        (["sampling", "temperature"], -1, "temperature"),
        (["sampling"], {"warmth": 1}, "incomplete"),
        (["noise"], {}, "incomplete"),
        (["noise"], {"seed": -5, "edits": {}}, "seed"),
        (["prompt_tokens"], None, "prompt_tokens"),
    ],
)
def test_every_kind_of_damage_gets_a_sentence(trace, path, value, reason):
    data = copy.deepcopy(trace.to_dict())
    damage(data, path, value)
    with pytest.raises(ValueError, match=reason):
        Trace.from_dict(data)


def test_an_undamaged_trace_passes_the_same_checks(trace):
    assert Trace.from_dict(copy.deepcopy(trace.to_dict())) == trace


def test_first_divergence():
    assert first_divergence([1, 2], [1, 2]) is None
    assert first_divergence([1, 2], [1, 3]) == 1
    assert first_divergence([1, 2], [1]) == 1
    assert first_divergence([], [5]) == 0


def test_pieces_join_to_the_text_even_where_tokens_split_characters():
    text = "naïve 😀 und 東京 – fin"
    tokens = list(text.encode())  # one token per byte: the hardest case

    def decode(ids):
        return bytes(ids).decode(errors="replace")

    stream = PieceStream(decode)
    pieces = [stream.push(t, last=i == len(tokens) - 1) for i, t in enumerate(tokens)]
    assert "".join(pieces) == text
    assert "\ufffd" not in "".join(pieces)
    assert pieces.count("") > 5


def test_an_unfinished_character_at_the_end_shows_as_it_decodes():
    stream = PieceStream(lambda ids: bytes(ids).decode(errors="replace"))
    data = "a😀".encode()[:-1]
    pieces = [stream.push(t, last=i == len(data) - 1) for i, t in enumerate(data)]
    assert "".join(pieces) == data.decode(errors="replace")


def test_sampling_and_noise_are_objects_again(trace):
    read = Trace.from_dict(trace.to_dict())
    assert isinstance(read.sampling, SamplingConfig)
    assert isinstance(read.noise, NoiseTape)
