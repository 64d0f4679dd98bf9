"""Importing checkpoints of the paper's reference code: every layout that it has written."""

import pickle

import pytest
import torch
import yaml
from support.tiny_model import make_target, make_tokenizer

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.model.ptp_model import PTPModel
from ptp_core.model.u_embedding import build_u_embedding
from ptp_core.storage.adapter_files import load_adapter
from ptp_core.storage.reference_code import import_reference

RANK = 4
LAYERS = {"self_attn": ("q_proj", "k_proj", "v_proj", "o_proj"), "mlp": ("gate_proj", "up_proj", "down_proj")}
EMBEDDINGS = ("linear_interpolation", "round", "sawtooth", "quarter_cos", "binary")


def lora_tensors(target, prefix="model.model.base_model.model."):
    torch.manual_seed(5)
    weights = {}
    for i, layer in enumerate(target.model.layers):
        for part, names in LAYERS.items():
            for name in names:
                shape = getattr(getattr(layer, part), name).weight.shape
                key = f"{prefix}model.layers.{i}.{part}.{name}"
                weights[f"{key}.lora_A.default.weight"] = torch.randn(RANK, shape[1]) * 0.3
                weights[f"{key}.lora_B.default.weight"] = torch.randn(shape[0], RANK) * 0.3
    return weights


def frozen_tensors(target, prefix="model.model.base_model.model."):
    weights = {}
    for key, tensor in target.state_dict().items():
        is_linear = any(key.endswith(f"{name}.weight") for names in LAYERS.values() for name in names)
        weights[prefix + (key.replace(".weight", ".base_layer.weight") if is_linear else key)] = tensor.clone()
    return weights


def u_tensors(kind, prefix="model.u_embed."):
    torch.manual_seed(6)
    return {prefix + key: tensor for key, tensor in build_u_embedding(kind, 32).state_dict().items()}


def train_yaml(kind=None, alpha=16, **model):
    lora = {"r": RANK, "target_modules": "all-linear", **({} if alpha is None else {"lora_alpha": alpha})}
    inner = {"model_id": "org/tiny", "lora_config": lora, **({} if kind is None else {"adapter_name": kind}), **model}
    return {"model": {"model": inner, "temperature": 0.7}, "data": {"train_completion_len": 6}}


@pytest.fixture
def write(tmp_path):
    def write(weights, settings):
        torch.save({"epoch": 3, "global_step": 7, "state_dict": weights}, tmp_path / "last.ckpt")
        (tmp_path / "train.yaml").write_text(yaml.safe_dump(settings))
        return tmp_path / "last.ckpt", tmp_path / "train.yaml", tmp_path / "out"

    return write


@pytest.mark.parametrize("kind", EMBEDDINGS)
@pytest.mark.parametrize("full", [False, True])
def test_every_embedding_in_short_and_full_files(write, kind, full):
    target = make_target()
    weights = {**lora_tensors(target), **u_tensors(kind), **(frozen_tensors(target) if full else {})}
    files = write(weights, train_yaml(None if kind == "linear_interpolation" else kind))
    made = import_reference(*files, target=target)
    read = load_adapter(files[2])
    assert read.config == made.config
    config = read.config
    assert (config.variant, config.order, config.position_shift, config.window) == ("o-ptp", "token_id", -1, 6)
    assert (config.lora.rank, config.lora.alpha, config.u_embedding["kind"]) == (RANK, 16.0, kind)
    assert config.sampling == {"filter": "reference", "temperature": 0.7}
    assert (config.target["hidden_size"], config.target["num_layers"], config.target["vocab_size"]) == (32, 2, 13)
    name = "model.layers.1.mlp.down_proj"
    assert torch.equal(read.lora[name][1], weights[f"model.model.base_model.model.{name}.lora_B.default.weight"])
    own = build_u_embedding(kind, 32)
    own.load_state_dict({k.removeprefix("model.u_embed."): v for k, v in u_tensors(kind).items()})
    model = PTPModel(make_target(), make_tokenizer(), read)
    u = torch.rand(50)
    assert torch.equal(model.u_embed(u, 0.7), own(u, 0.7))


def test_an_imported_adapter_drafts_what_the_merged_network_would(write):
    """At a slot the network is the target with W + (alpha / r) B A, whoever computes it."""
    target = make_target()
    weights = {**lora_tensors(target), **u_tensors("binary")}
    files = write(weights, train_yaml("binary", alpha=None))
    adapter = import_reference(*files, target=target)
    assert adapter.config.lora.alpha == 8.0  # PEFT's default: the file and its train.yaml name none
    model = PTPModel(make_target(), make_tokenizer(), adapter)
    logits = model.draft_logits([3, 4, 5], [0.1, 0.8])

    merged = make_target()
    with torch.no_grad():
        for name, (a, b) in adapter.lora.items():
            merged.get_submodule(name).weight += 8.0 / RANK * b @ a
    cache = model.new_cache(8)
    layout = torch.ones(3, 3, dtype=torch.bool).tril()
    model(torch.tensor([[3, 4, 5]]), positions=torch.arange(3), mask=layout, cache=cache)
    cache.keep(3)
    from ptp_core.model.layout import additive

    mask = torch.ones(2, 5, dtype=torch.bool).tril(3)
    out = merged.model(
        inputs_embeds=model.u_embed(torch.tensor([[0.1, 0.8]]), 0.7),
        attention_mask=additive(mask, torch.device("cpu"), torch.float32)[None, None],
        position_ids=torch.tensor([[2, 3]]),
        past_key_values=cache,
        use_cache=True,
    )
    assert torch.allclose(logits, merged.lm_head(out.last_hidden_state)[0], atol=1e-4)


def test_legacy_files(write):
    """student. for model., an outer u_adapter, a teacher beside it, binary and unshifted positions by default."""
    target = make_target()
    weights = lora_tensors(target, "student.model.base_model.model.")
    weights |= u_tensors("binary", "student.u_adapter.")
    assert "student.u_adapter.u_adapter.weight" in weights
    weights |= {f"teacher.{key}": tensor for key, tensor in target.state_dict().items()}
    settings = {"student": {"model_id": "org/tiny", "lora_config": {"r": RANK}}}
    config = import_reference(*write(weights, settings), target=target).config
    assert (config.u_embedding["kind"], config.position_shift, config.window) == ("binary", 0, 16)


def test_decoding_with_an_imported_adapter_is_exact(write):
    target = make_target()
    files = write({**lora_tensors(target), **u_tensors("round")}, train_yaml("round"))
    model = PTPModel(make_target(), make_tokenizer(), import_reference(*files))
    sampling = SamplingConfig(0.9, 5, 0.9, order="token_id", filter="reference")
    for seed in range(10):
        texts = {m: generate(model, [2, 3, 4], m, NoiseTape(seed), sampling, max_new_tokens=24, draft_budget=8).tokens
                 for m in ("ar", "pqd", "ptp")}  # fmt: skip
        assert texts["ar"] == texts["pqd"] == texts["ptp"]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"model.model.base_model.model.model.norm.adaLN_modulation.weight": torch.zeros(2)}, "adaLN_modulation"),
        ({"model.u_scale_embed.weight": torch.zeros(2)}, "u_scale_embed"),
        ({"model.time_embed.weight": torch.zeros(2)}, "time_embed"),
    ],
)
def test_unknown_modules_are_refused_by_name(write, extra, reason):
    files = write({**lora_tensors(make_target()), **u_tensors("round"), **extra}, train_yaml("round"))
    with pytest.raises(ValueError, match=reason):
        import_reference(*files)


def test_a_network_trained_as_a_whole_is_refused(write):
    weights = {f"model.model.{key}": tensor for key, tensor in make_target().state_dict().items()}
    with pytest.raises(ValueError, match="no LoRA"):
        import_reference(*write({**weights, **u_tensors("round")}, train_yaml("round")))


def test_what_does_not_fit_is_refused(write):
    target = make_target()
    good = {**lora_tensors(target), **u_tensors("sawtooth")}
    with pytest.raises(ValueError, match="binary, but the file holds"):
        import_reference(*write(good, train_yaml("binary")))
    with pytest.raises(ValueError, match="no u embedding"):
        import_reference(*write(lora_tensors(target), train_yaml()))
    with pytest.raises(ValueError, match="other weights"):
        import_reference(*write({**good, **frozen_tensors(make_target(seed=9))}, train_yaml("sawtooth")), target=target)
    half = {k: v for k, v in good.items() if not k.endswith("1.mlp.up_proj.lora_B.default.weight")}
    with pytest.raises(ValueError, match="incomplete"):
        import_reference(*write(half, train_yaml("sawtooth")))


class Stranger:
    def __reduce__(self):
        return (print, ("this must never run",))


def test_nothing_is_unpickled_blindly(write, tmp_path, capsys):
    files = write({}, train_yaml())
    with files[0].open("wb") as file:
        pickle.dump({"state_dict": Stranger()}, file)
    with pytest.raises(ValueError, match="tensors alone"):
        import_reference(*files)
    torch.save({"state_dict": {"x": torch.zeros(1)}, "callback": Stranger()}, files[0])
    with pytest.raises(ValueError, match="tensors alone"):
        import_reference(*files)
    files[0].write_bytes(files[0].read_bytes()[:100])
    with pytest.raises(ValueError, match="tensors alone"):
        import_reference(*files)
    assert "never run" not in capsys.readouterr().out


def test_a_configuration_that_is_none(write):
    files = write(lora_tensors(make_target()), {"training": {}})
    with pytest.raises(ValueError, match="neither model nor student"):
        import_reference(*files)


def test_null_fields_of_a_configuration_count_as_absent(write):
    target = make_target()
    settings = {
        "model": {"model": {"model_id": None, "lora_config": {"lora_alpha": None, "r": None, "use_rslora": None},
                            "adapter_name": None, "shift_positions": None}, "temperature": None, "top_k": 0},
        "data": {"train_completion_len": None},
    }  # fmt: skip
    config = import_reference(*write({**lora_tensors(target), **u_tensors("linear_interpolation")}, settings)).config
    assert (config.window, config.lora.alpha, config.position_shift) == (16, 8.0, -1)
    assert config.sampling == {"filter": "reference", "top_k": 0}
    (files := write({**lora_tensors(target), **u_tensors("round")}, train_yaml("round")))[1].write_text(
        yaml.safe_dump(train_yaml("round")), encoding="utf-8-sig"
    )
    assert import_reference(*files).config.window == 6


def test_ranks_and_scales_are_those_of_the_checkpoint(write):
    target = make_target()
    weights = {**lora_tensors(target), **u_tensors("round")}
    for key in weights:
        if "layers.1." in key and "k_proj" in key:
            weights[key] = weights[key][:2] if "lora_A" in key else weights[key][:, :2]
    settings = train_yaml("round", alpha=12)
    settings["model"]["model"]["lora_config"] |= {"use_rslora": True, "alpha_pattern": {"q_proj": 3.0}}
    files = write(weights, settings)
    made = import_reference(*files, target=target)
    layers = PTPModel(make_target(), make_tokenizer(), load_adapter(files[2])).lora
    assert load_adapter(files[2]).config == made.config
    key, query = (layers[f"model.layers.1.self_attn.{name}"].scale for name in ("k_proj", "q_proj"))
    assert (key, query) == (pytest.approx(12 / 2**0.5), 1.5)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"model.model.base_model.model.model.norm.lora_magnitude_vector.default.weight": torch.ones(2)}, "DoRA"),
        ({"model.model.base_model.model.lm_head.modules_to_save.default.weight": torch.ones(2, 2)}, "modules_to_save"),
    ],
)  # fmt: skip
def test_what_peft_adds_beside_the_lora_is_refused_by_name(write, extra, named):
    with pytest.raises(ValueError, match=named):
        import_reference(*write({**lora_tensors(make_target()), **u_tensors("round"), **extra}, train_yaml("round")))
    settings = train_yaml("round")
    settings["model"]["model"]["lora_config"] |= {"use_dora": True}
    with pytest.raises(ValueError, match="use_dora"):
        import_reference(*write({**lora_tensors(make_target()), **u_tensors("round")}, settings))
