import math

import pytest
import torch

from ptp_core.model.u_embedding import U_EMBEDDINGS, build_u_embedding

U = torch.tensor([0.0, 0.125, 0.3, 0.5, 0.75, 1 - 2**-24])


@pytest.mark.parametrize("kind", U_EMBEDDINGS)
def test_shape_and_dependence_on_u(kind):
    torch.manual_seed(0)
    module = build_u_embedding(kind, 8)
    out = module(U.view(2, 3), 0.7)
    assert out.shape == (2, 3, 8)
    assert torch.isfinite(out).all()
    varies = bool((out.view(6, 8)[0] != out.view(6, 8)[3]).any())
    assert varies == module.reads_u
    assert torch.isfinite(module(U, 0.0)).all()


@pytest.mark.parametrize("kind", U_EMBEDDINGS)
def test_only_two_kinds_read_the_temperature(kind):
    torch.manual_seed(0)
    module = build_u_embedding(kind, 8)
    assert bool((module(U, 0.3) != module(U, 1.0)).any()) == (kind in ("fourier", "temperature"))


def with_identity(module, name="embedding"):
    """The module's linear map replaced by the identity, so that its features come out."""
    linear = getattr(module, name)
    linear.weight.data = torch.eye(linear.in_features)
    linear.bias.data.zero_()
    return module


def test_features_by_hand():
    binary = with_identity(build_u_embedding("binary", 32), "u_adapter")(torch.tensor([0.5]), 1)[0]
    assert binary.int().tolist() == [int(b) for b in f"{0x3F000000:032b}"]  # 0.5 as a float32
    bits = with_identity(build_u_embedding("arithmetic_bits", 24), "linear")(torch.tensor([0.625]), 1)[0]
    assert bits.int().tolist() == [1, 0, 1] + [0] * 21
    saw = with_identity(build_u_embedding("sawtooth", 32))(torch.tensor([0.6]), 1)[0]
    assert saw[:3].tolist() == pytest.approx([0.6, 0.1, 0.6 - 1 / 3], abs=1e-6)
    cos = with_identity(build_u_embedding("quarter_cos", 32))(torch.tensor([0.25]), 1)[0]
    assert cos[:2].tolist() == pytest.approx([math.cos(math.pi / 4), 0], abs=1e-6)


def test_interpolation_and_rounding_by_hand():
    linear = build_u_embedding("linear_interpolation", 1)
    linear.embedding.weight.data = torch.tensor([[0.0], [10.0], [30.0]])
    assert linear(torch.tensor([0.0, 0.25, 0.5, 0.75, 1 - 2**-24]), 1).flatten().tolist() == pytest.approx(
        [0, 5, 10, 20, 30], abs=1e-4
    )
    rounding = build_u_embedding("round", 1)
    rounding.embedding.weight.data = torch.arange(32.0)[:, None]
    assert rounding(torch.tensor([0.0, 0.031, 0.032, 0.999999]), 1).flatten().tolist() == [0, 0, 1, 31]


def test_fourier_by_hand():
    module = build_u_embedding("fourier", 51, frequencies=(1, 2), hidden=23)
    seen = {}
    module.net[0].register_forward_hook(lambda _, inputs, __: seen.update(x=inputs[0]))
    module(torch.tensor([0.25]), 0.5)
    u = 0.25
    ends = [math.log(u + 10**-k) / 4 for k in range(1, 9)] + [math.log(1 - u + 10**-k) / 4 for k in range(1, 9)]
    waves = [math.cos(math.pi * u), math.cos(2 * math.pi * u), math.sin(math.pi * u), math.sin(2 * math.pi * u)]
    assert seen["x"][0].tolist() == pytest.approx([u, *waves, *ends, 2 * (0.5 - 0.7), math.log(0.5)], abs=1e-5)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="known kinds"):
        build_u_embedding("quantum", 8)
