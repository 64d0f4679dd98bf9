import pytest
import torch

from ptp_core.model.config import AdapterConfig, LoraConfig
from ptp_core.sampling import pick
from ptp_core.training.pretraining.drawn import draw
from ptp_core.training.pretraining.export import save_slots
from ptp_core.training.pretraining.slot_figures import measure_slots
from ptp_core.training.pretraining.slot_kinds import SLOT_KINDS, slot_kind
from ptp_core.training.pretraining.slots import SlotConfig, Slots, train_slots

STUDY = ("o-ptp-id", "o-ptp-probability", "c-ptp-id", "u-blind")


@pytest.fixture(scope="module")
def drawn(network):
    generator = torch.Generator().manual_seed(8)
    return draw(network, torch.randint(1, network.shape.vocabulary, (3, 24), generator=generator), 8, 4, generator)


def dense(drawn, size):
    probs = torch.zeros(*drawn.tokens.shape, size)
    return probs.scatter_(-1, drawn.ids, drawn.probs)


def test_each_order_s_u_picks_the_same_tokens(network, drawn):
    probs = dense(drawn, network.shape.vocabulary)
    for order in ("token_id", "probability"):
        u = drawn.u_in(order)
        assert bool(((u >= 0) & (u < 1)).all())
        assert (pick(probs, u, order) == drawn.tokens).float().mean() > 0.98  # two orders of summing part at an edge
    assert (pick(probs, drawn.u, "probability") == drawn.tokens).float().mean() < 0.9
    assert abs(float(drawn.u_in("probability").mean()) - 0.5) < 0.1


def test_a_c_ptp_slot_is_not_told_its_own_u(network, drawn):
    changed = drawn.u.clone()
    changed[..., 2] = (changed[..., 2] + 0.37) % 1
    import dataclasses

    other = dataclasses.replace(drawn, u=changed)
    for kind, seen in (("c-ptp-id", 3), ("o-ptp-id", 2)):
        slots = Slots(network, kind, 4)
        rows, again = (slots.kind.rows(slots.embedding, each) for each in (drawn, other))
        apart = (rows != again).any(-1).any(0).any(0).tolist()
        assert apart == [j == seen for j in range(4)], kind


def test_c_ptp_drafts_are_picked_by_the_tokens_own_u(network, drawn):
    odds = dense(drawn, network.shape.vocabulary)
    slots = slot_kind("c-ptp-id")
    assert (slots.drafts(odds.log(), drawn) == drawn.tokens).float().mean() > 0.98
    likeliest = (slots.drafts(odds.log(), drawn, argmax=True) == drawn.tokens).float().mean()
    assert likeliest < 0.98 and torch.equal(slot_kind("u-blind").drafts(odds, drawn), odds.argmax(-1))


def test_kl_is_least_where_a_slot_knows_the_odds(network, drawn):
    odds = dense(drawn, network.shape.vocabulary)
    kind = slot_kind("u-blind")
    exact = kind.each((odds + 1e-9).log(), drawn)
    assert float(exact.abs().max()) < 1e-3 < float(kind.each(torch.zeros_like(odds), drawn).min())


def test_all_kinds_start_as_one_network(network, drawn, tmp_path):
    blind = Slots(network, "u-blind", 4, chain=16)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in blind.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    save_slots(network, blind, AdapterConfig(window=4, chain=16, lora=LoraConfig(4, 4.0)), tmp_path)
    wanted = blind.logits(network, drawn)
    for name in SLOT_KINDS:
        slots = Slots(network, name, 4, chain=16)
        assert not torch.allclose(slots.logits(network, drawn)[0], wanted[0], atol=1e-3)
        slots.start_from(tmp_path)
        for found, part in zip(slots.logits(network, drawn), wanted, strict=True):
            assert torch.allclose(found, part, atol=1e-4), name
    with pytest.raises(ValueError, match="does not fit"):
        Slots(network, "u-blind", 8, chain=16).start_from(tmp_path)
    with pytest.raises(ValueError, match="does not fit"):
        Slots(network, "u-blind", 4).start_from(tmp_path)


def test_figures_compare_kinds_on_the_same_windows(network):
    generator = torch.Generator().manual_seed(2)
    texts = torch.randint(1, network.shape.vocabulary, (5, 30), generator=generator)
    found = measure_slots(network, {kind: Slots(network, kind, 4) for kind in STUDY}, texts, 4)
    assert "ahead" not in found["u-blind"] and "by_pick" in found["u-blind"] and "by_argmax" in found["c-ptp-id"]
    for kind in STUDY[:3]:
        apart = found[kind]["tokens_per_call"] - found["u-blind"]["tokens_per_call"]
        assert found[kind]["ahead"] == pytest.approx(apart, abs=2e-4)
    twins = {"o-ptp-id": Slots(network, "u-blind", 4), "u-blind": Slots(network, "u-blind", 4)}
    same = measure_slots(network, twins, texts, 4)["o-ptp-id"]
    assert same["tokens_per_call"] >= 1 and "ahead" not in same  # the first u-blind kind is what others are ahead of


def test_four_kinds_train_from_a_saved_target_and_are_saved(saved, data_folder, tmp_path):
    from ptp_core.storage.adapter_files import load_adapter
    from ptp_core.training.pretraining.export import save_run

    config = SlotConfig(
        str(saved[0]), str(data_folder), str(tmp_path), STUDY, rank=4, chain=16, batch=2, length=48, windows=4, slots=3,
        steps=3,
    )  # fmt: skip
    train_slots(config)
    folders = save_run(tmp_path, tmp_path / "model" / "mine", tmp_path)
    configs = [load_adapter(folder).config for folder in folders[1:]]
    assert [c.variant for c in configs] == ["o-ptp", "o-ptp", "c-ptp", "independent"]
    assert [c.order for c in configs] == ["token_id", "probability", "token_id", "token_id"]
    assert [c.start_slot for c in configs] == [False, False, True, True]
    assert {c.lead for c in configs} == {0}  # all decode with the first slot that they were trained with


def test_an_unknown_kind_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="'told'; known: o-ptp-id"):
        train_slots(SlotConfig(str(tmp_path), str(tmp_path), str(tmp_path), ("told",)))
