import json
import shutil
from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from support.tiny_model import PARALLEL, SHALLOW, make_adapter, make_target, make_tokenizer, save_whole

from ptp_core import NoiseTape, SamplingConfig, generate, load_adapter, save_adapter
from ptp_core.model.config import DraftFigures
from ptp_core.model.ptp_model import PTPModel


@pytest.fixture
def saved(tmp_path):
    adapter = make_adapter(target={"name": "tiny", "hidden_size": 32, "num_layers": 2, "vocab_size": 13})
    save_whole(tmp_path / "a", adapter)
    return adapter, tmp_path / "a"


def test_round_trip(saved):
    adapter, folder = saved
    read = load_adapter(folder)
    assert read.config == adapter.config
    for name, (a, b) in adapter.lora.items():
        assert torch.equal(read.lora[name][0], a)
        assert torch.equal(read.lora[name][1], b)
    for name, tensor in adapter.u_embed.items():
        assert torch.equal(read.u_embed[name], tensor)
    assert len(read.sha256) == 64


def test_a_loaded_adapter_decodes_as_the_saved_one(saved):
    adapter, folder = saved
    traces = [
        generate(PTPModel(make_target(), make_tokenizer(), a), [3, 4], "pqd", noise=NoiseTape(2), draft_budget=9)
        for a in (adapter, load_adapter(folder))
    ]
    assert [[d.token for d in s.drafts] for s in traces[0].steps] == [
        [d.token for d in s.drafts] for s in traces[1].steps
    ]


def test_older_adapters_without_u_were_measured_by_pick(tmp_path):
    weights, figures = (0.9, 0.1, 0.4), DraftFigures((0.3,), (0.2,), (0.8, 0.0, 0.1))
    adapter = make_adapter(variant="independent", kind="blank", shallow=None, parallel=None, confidence=weights)
    save_adapter(tmp_path, replace(adapter.config, unchained=figures), adapter.lora, adapter.u_embed)
    written = json.loads((tmp_path / "ptp_config.json").read_text())
    del written["picked"], written["picked_unchained"]
    (tmp_path / "ptp_config.json").write_text(json.dumps(written))
    found = load_adapter(tmp_path).config
    assert found.picked == DraftFigures(adapter.config.draft_run, (), weights)
    assert found.picked_unchained == figures
    assert (found.draft_run, found.confidence) == (adapter.config.draft_run, None)
    assert found.unchained == replace(figures, confidence=None)
    save_adapter(tmp_path, found, adapter.lora, adapter.u_embed)
    assert load_adapter(tmp_path).config == found


def test_peft_loads_the_lora_part(saved):
    """With the delta on every row (PEFT knows no gate), a slot-only call must equal PEFT's model."""
    adapter, folder = saved
    target = make_target()
    target.set_attn_implementation("eager")
    peft = PeftModel.from_pretrained(target, folder).eval()
    embeddings = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs = peft(inputs_embeds=embeddings).logits
        ours = PTPModel(make_target(), make_tokenizer(), adapter)
        none = torch.zeros(1, 0, dtype=torch.long)
        mask = torch.ones(5, 5, dtype=torch.bool).tril()
        hidden = ours(none, embeddings, positions=torch.arange(5), mask=mask)
    assert torch.allclose(ours.logits(hidden), theirs, atol=1e-4)


def test_what_peft_saves_comes_back(saved, tmp_path):
    """Our files into PEFT, PEFT's files back to us, beside the four that PEFT does not know."""
    adapter, folder = saved
    PeftModel.from_pretrained(make_target(), folder, is_trainable=True).save_pretrained(tmp_path / "back")
    for name in ("ptp_config.json", "u_embed.safetensors", "shallow.safetensors", "parallel.safetensors"):
        shutil.copy(folder / name, tmp_path / "back")
    read = load_adapter(tmp_path / "back")
    assert (read.config.lora.rank, read.config.lora.alpha) == (adapter.config.lora.rank, adapter.config.lora.alpha)
    assert set(read.lora) == set(adapter.lora)
    assert all(a.equal(read.lora[name][0]) and b.equal(read.lora[name][1]) for name, (a, b) in adapter.lora.items())


def test_no_half_written_files_stay_behind(saved):
    assert sorted(p.name for p in saved[1].iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "parallel.safetensors", "ptp_config.json",
        "shallow.safetensors", "u_embed.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", ["adapter_model.safetensors", "ptp_config.json"])
def test_a_missing_file_is_named(saved, missing):
    (saved[1] / missing).unlink()
    with pytest.raises(ValueError, match=missing):
        load_adapter(saved[1])


def test_truncated_weights_are_refused(saved):
    file = saved[1] / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        load_adapter(saved[1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "ptp-adapter-9"}, "ptp-adapter-9"),
        ({"variant": "x-ptp"}, "variant"),
        ({"order": "random"}, "order"),
        ({"u_embedding": {"kind": "quantum"}}, "quantum"),
        ({"window": 0}, "window"),
    ],
)
def test_a_foreign_configuration_is_refused(saved, change, reason):
    file = saved[1] / "ptp_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ValueError, match=reason):
        load_adapter(saved[1])


@pytest.mark.parametrize("name", ["nobody/nothing", "not a name at all!"])
def test_a_folder_that_is_not_there(name):
    with pytest.raises(FileNotFoundError, match=r"adapter .*'no"):
        load_adapter(name)


def test_a_u_embedding_of_another_size_is_refused(saved):
    adapter, _ = saved
    wrong = type(adapter)(adapter.config, adapter.lora, {k: v[..., :1] for k, v in adapter.u_embed.items()})
    with pytest.raises(ValueError, match="u embedding"):
        PTPModel(make_target(), make_tokenizer(), wrong)


def test_files_are_readable_for_others(saved):
    assert all(p.stat().st_mode & 0o044 == 0o044 for p in saved[1].iterdir())


SAMPLING = SamplingConfig()


def test_on_disk(tmp_path):
    adapter = make_adapter(chain=16)
    save_whole(tmp_path / "a", adapter)
    read = load_adapter(tmp_path / "a")
    assert read.config.chain == 16
    assert all(read.chain[name].equal(tensor) for name, tensor in adapter.chain.items())
    model = PTPModel(make_target(), make_tokenizer(), read)
    for method in ("ptp", "pqd", "independent"):
        options = {"noise": NoiseTape(1), "sampling": SAMPLING, "max_new_tokens": 12}
        assert generate(model, [3, 4], method, **options).tokens == generate(model, [3, 4], "ar", **options).tokens

    (tmp_path / "a" / "chain.safetensors").unlink()
    with pytest.raises(ValueError, match=r"chain\.safetensors missing"):
        load_adapter(tmp_path / "a")
    with pytest.raises(ValueError, match="chain head in its"):
        save_adapter(tmp_path / "b", adapter.config, adapter.lora, adapter.u_embed, shallow=adapter.shallow)
    bare = make_adapter()
    save_whole(tmp_path / "a", bare)
    assert not (tmp_path / "a" / "chain.safetensors").exists()


@pytest.mark.parametrize(("name", "config"), [("shallow", SHALLOW), ("parallel", PARALLEL)])
def test_shallow_slots_are_saved_and_loaded(tmp_path, name, config):
    adapter = make_adapter(**{"shallow": None, "parallel": None, name: config})
    slots = getattr(adapter, name)
    save_whole(tmp_path / "a", adapter)
    found = load_adapter(tmp_path / "a")
    assert getattr(found.config, name) == replace(config, u_embedding=dict(config.u_embedding))
    assert all(torch.equal(getattr(found, name)[k], v.to(getattr(found, name)[k].dtype)) for k, v in slots.items())
    with pytest.raises(ValueError, match="configuration or its weights only"):
        save_adapter(tmp_path / "b", adapter.config, adapter.lora, adapter.u_embed)
    (tmp_path / "a" / f"{name}.safetensors").unlink()
    with pytest.raises(ValueError, match=rf"{name}\.safetensors missing"):
        load_adapter(tmp_path / "a")
    save_whole(tmp_path / "a", make_adapter(shallow=None, parallel=None))
    assert getattr(load_adapter(tmp_path / "a").config, name) is None
