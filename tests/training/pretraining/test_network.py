import torch

from ptp_core.model.layout import call_layout
from ptp_core.sampling import SamplingConfig, pick, warp
from ptp_core.storage.built_in import in_eight_bits
from ptp_core.storage.load import load_model
from ptp_core.training.pretraining.drawn import draw
from ptp_core.training.pretraining.loss import IGNORE, bins, draw_windows, step_loss
from ptp_core.training.pretraining.network import pick as pick_rows
from ptp_core.training.pretraining.slots import Slots
from ptp_core.training.pretraining.states import load_network, round_to_eight_bits


def test_saved_target_computes_what_the_network_computes(network, saved):
    target, slots = saved
    assert in_eight_bits(target)
    model = load_model(target, slots, device="cpu")
    net = round_to_eight_bits(network)
    ids = torch.tensor([[5, 9, 40, 7, 33, 21, 8]])
    hidden, context = net.real(ids)
    ours = net.logits(hidden)[0]
    assert torch.allclose(model.target_logits(ids[0].tolist()), ours[-len(ids[0]) :], atol=2e-3)
    # three slots behind five tokens, in the network and in a call of the lab
    u = torch.tensor([[[0.1, 0.6, 0.9]]])
    rows = net.told(u, torch.full_like(u, 0.7))
    wanted = net.slots(rows, torch.tensor([[5]]), context)[0, 0]
    layout = call_layout(0, 1, 4, [(4, 3)])
    nothing = torch.tensor([0])
    with torch.inference_mode():
        inputs = model.embed_slots(u[0, 0], 0.7, nothing, nothing)[None]
        found = model(ids[:, :5], inputs, positions=layout.positions, mask=layout.mask)[0][5:]
    assert torch.allclose(found, wanted, atol=2e-3)


def test_slots_see_their_own_start_and_window_only(network):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, network.shape.vocabulary, (2, 24), generator=generator)
    u, starts = torch.rand(2, 3, 4, generator=generator), torch.tensor([[6, 11, 20], [3, 3, 23]])
    _, context = network.real(tokens)
    found = network.slots(network.told(u, 0.7), starts, context)
    other = tokens.clone()
    other[:, 11:] = 1  # changes what the second windows must not see, but not the first and, in row 2, both
    _, changed = network.real(other)
    again = network.slots(network.told(u, 0.7), starts, changed)
    assert torch.allclose(found[:, 0], again[:, 0], atol=1e-5) and torch.allclose(found[0, 1], again[0, 1], atol=1e-5)
    assert not torch.allclose(found[0, 2], again[0, 2], atol=1e-3)
    later = u.clone()
    later[..., 2:] = 0.5
    early = network.slots(network.told(later, 0.7), starts, context)
    assert torch.allclose(found[:, :, :2], early[:, :, :2], atol=1e-5)
    assert not torch.allclose(found[:, :, 2], early[:, :, 2], atol=1e-3)


def test_windows_hold_the_target_s_own_continuation(network):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, network.shape.vocabulary, (2, 20), generator=generator)
    drawn = draw(network, tokens, 4, 5, generator)
    for b in range(2):
        for n in range(4):
            text = tokens[b, : drawn.starts[b, n]].tolist()
            sampling = SamplingConfig(float(drawn.temperature[b, n, 0]), order="token_id")
            for u, token in zip(drawn.u[b, n].tolist(), drawn.tokens[b, n].tolist(), strict=True):
                hidden, _ = network.real(torch.tensor([text]))
                assert pick(warp(network.logits(hidden)[0, -1], sampling), u, sampling.order) == token
                text.append(token)


def test_bins_and_pick_are_each_other_s_inverse(network):
    generator = torch.Generator().manual_seed(2)
    logits = 4 * torch.randn(300, network.shape.vocabulary, generator=generator)
    u = torch.rand(300, generator=generator)
    tokens = pick_rows(logits, u, torch.full((300,), 0.7))
    left, right = bins(logits / 0.7, tokens)
    assert bool(((left <= u + 1e-6) & (u < right + 1e-6)).all())
    sampling = SamplingConfig(0.7, order="token_id")
    ours = [pick(warp(row, sampling), float(x), sampling.order) for row, x in zip(logits, u, strict=True)]
    assert (torch.tensor(ours) == tokens).float().mean() > 0.99  # two orders of summing may part at an edge


def test_windows_over_given_texts_end_where_sampling_could_not_follow(network):
    generator = torch.Generator().manual_seed(4)
    tokens = torch.randint(1, network.shape.vocabulary, (3, 41), generator=generator)
    hidden, _ = network.real(tokens[:, :-1])
    logits = network.logits(hidden)
    drawn = draw_windows(logits, tokens, 6, 4, generator)
    known = drawn.targets != IGNORE
    assert known.any() and not known.all()
    assert bool((known.int().cummin(-1).values == known.int()).all())  # once unknown, unknown to the end
    b, n, j = known.nonzero()[0].tolist()
    row = logits[b, drawn.starts[b, n] - 1 + j]
    picked = pick_rows(row[None], drawn.u[b, n, j][None], drawn.temperature[b, n, j][None])
    assert picked.item() == drawn.targets[b, n, j] == tokens[b, drawn.starts[b, n] + j]


def test_slots_teach_the_target_nothing_through_the_context(network):
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(1, network.shape.vocabulary, (2, 33), generator=generator)
    net = network.requires_grad_(True)
    try:
        real, told, blind = step_loss(net, tokens, 4, 3, 0.5, generator)
        assert float(real.detach()) > 0 and float(told.detach()) >= 0 and float(blind.detach()) >= 0
        _, context = net.real(tokens[:, :-1])
        assert not any(part.requires_grad for layer in context for part in layer)
        (told + blind).backward()
        assert net.layers[0].qkv.grad is not None
        assert net.told.net[0].weight.grad is not None
    finally:
        net.zero_grad(set_to_none=True)
        net.requires_grad_(False)


def test_fresh_deltas_change_nothing(network):
    slots = Slots(network, "o-ptp-id", 4)
    for layer, own in zip(network.layers, slots.layers(network), strict=True):
        assert torch.equal(own.qkv, layer.qkv) and torch.equal(own.down, layer.down)


def test_slots_can_learn_what_the_target_picks(network):
    generator = torch.Generator().manual_seed(6)
    tokens = torch.randint(1, network.shape.vocabulary, (2, 20), generator=generator)
    drawn = draw(network, tokens, 6, 3, generator)
    torch.manual_seed(0)
    slots = Slots(network, "o-ptp-id", 8, chain=32)
    optimizer = torch.optim.AdamW(slots.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        loss = slots.loss(network, drawn, 0.9)
        loss.backward()
        losses.append(float(loss.detach()))
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.5 * losses[0]


def test_a_saved_target_is_read_as_the_network_it_was(network, saved):
    net = load_network(saved[0])
    ids = torch.tensor([[5, 9, 40, 7, 33, 21, 8]])
    wanted = round_to_eight_bits(network).real(ids)[0]
    net.dtype = torch.float32
    assert torch.allclose(net.real(ids)[0], wanted, atol=1e-5)
