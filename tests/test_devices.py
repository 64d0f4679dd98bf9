"""Everything on a device that refuses mixed tensors and counts: decoders, maps, training, calibration, writing.

The device is emulated (support/emulated_device.py). Results must be the CPU's. Counts are upper limits: a change that
makes the host wait more often, or starts more kernels, is seen here and nowhere else on a machine without a GPU.
"""

import pytest
import torch
from support.emulated_device import DEVICE, EmulatedDevice
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core import METHODS, NoiseTape, PTPModel, SamplingConfig, generate
from ptp_core.analysis import distribution, staircase, sweep, unit_square
from ptp_core.decoding.measure_costs import measure_cost_curve, measure_draft_costs
from ptp_core.sampling import _sorted, _sorted_by_keys, candidates
from ptp_core.training.batch_sampling import Request, complete
from ptp_core.training.calibrate import calibrate, calibrate_shallow
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation
from ptp_core.training.evaluate import evaluate
from ptp_core.training.objectives import Distiller
from ptp_core.training.shallow import SHALLOW

PROMPT = [3, 4, 5, 6, 2, 7, 8]
SAMPLING = SamplingConfig(0.7, 8, 0.95)
# of a call, on average over a text: kernels, copies to the device, synchronisations
LIMITS = {
    "ar": (147, 3.0, 2.0),
    "ptp": (229, 6.5, 4.0),
    "pqd": (295, 9.0, 5.0),
    "shallow": (338, 8.4, 9.0),
    "shallow_lookup": (262, 6.3, 6.0),
    "independent": (289, 8.7, 4.7),
    "prompt_lookup": (150, 3.0, 2.0),
}
WITH_RECORDS = {"ar": 3.0, "pqd": 9.4}  # synchronisations where pictures need the distributions, too
BUDGETS = {"ptp": 9, "pqd": 9, "independent": 9, "shallow": 9, "shallow_lookup": 4}


def make_model(device, **changes):
    target = make_target(context=512)
    if device is not None:
        target = device.move(target)
    return PTPModel(target, make_tokenizer(), make_adapter(**{"chain": 8, **changes}), name="tiny").eval()


def on_both(work, *arguments, **changes):
    """What `work` gives on the CPU and on the device, and the device with its counts."""
    device = EmulatedDevice()
    expected = work(make_model(None, **changes), *arguments)
    with device.running():
        model = make_model(device, **changes)
        assert model.device == DEVICE
        device.reset()
        found = work(model, *arguments)
    return expected, found, device


def text(model, method, details, sampling, count=24):
    options = {"draft_budget": BUDGETS[method]} if method in BUDGETS else {}
    trace = generate(model, PROMPT, method, NoiseTape(1), sampling, max_new_tokens=count, details=details, **options)
    return trace.tokens, len(trace.steps)


@pytest.mark.parametrize("method", METHODS)
def test_a_call_waits_and_launches_no_more_than_this(method):
    expected, found, device = on_both(text, method, False, SAMPLING)
    assert found == expected
    per_call = [count / found[1] for count in device.counts]
    assert all(count <= limit for count, limit in zip(per_call, LIMITS[method], strict=True)), (
        per_call,
        device.syncs.most_common(5),
    )


@pytest.mark.parametrize("method", WITH_RECORDS)
def test_records_for_pictures_cost_few_waits(method):
    expected, found, device = on_both(text, method, True, SAMPLING)
    assert found == expected
    assert device.counts[2] / found[1] <= WITH_RECORDS[method]


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingConfig(0.0),
        SamplingConfig(1.0, 0, 1.0),
        SamplingConfig(0.7, 0, 0.9),
        SamplingConfig(0.7, 8, 0.9, order="token_id"),
        SamplingConfig(0.7, 8, 0.9, filter="reference"),
    ],
    ids=str,
)
def test_every_kind_of_sampling(sampling):
    for method in ("ar", "pqd"):
        expected, found, _ = on_both(text, method, True, sampling, 10)
        assert found == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"variant": "c-ptp"},
        {"variant": "c-ptp", "chain": 0, "anchor": True},
        {"variant": "independent", "kind": "blank"},
    ],
    ids=str,
)
def test_other_adapters(changes):
    expected, found, _ = on_both(text, "pqd", True, SAMPLING, 10, **changes)
    assert found == expected


def the_maps(model):
    trace = generate(model, PROMPT, "ar", NoiseTape(5), SAMPLING, max_new_tokens=8)
    square = unit_square(model, trace, 1)
    bins = [(c.left, c.right, c.token) for c in distribution(model, trace, 2).candidates]
    return bins, staircase(model, trace, 1).agreement, square.draft.agreement.pair, sweep(model, trace, 1, 3)


def test_maps():
    expected, found, device = on_both(the_maps)
    assert [c[2] for c in found[0]] == [c[2] for c in expected[0]]
    assert found[1:3] == pytest.approx(expected[1:3], abs=1e-5)
    assert [s.tokens for s in found[3].target] == [s.tokens for s in expected[3].target]
    assert all(count <= limit for count, limit in zip(device.counts, (8900, 265, 142), strict=True)), device.counts


@pytest.fixture(scope="module")
def rows():
    """Two conversations that the tiny model wrote itself, at two temperatures."""
    model = make_model(None)
    found = []
    for seed, temperature in ((9, 0.7), (4, 0.3)):
        tokens = generate(
            model, PROMPT, "ar", NoiseTape(seed), SamplingConfig(temperature, 50, 0.95), max_new_tokens=60
        ).tokens
        found.append(Conversation(PROMPT + tokens, len(PROMPT), temperature=temperature))
    assert min(len(row.ids) for row in found) > 20
    return found


def a_step(model, rows, objective):
    variant, focus = ("c-ptp", 0.0) if objective == "inverse" else ("o-ptp", 0.5)
    config = TrainConfig(
        "", "", objective=objective, init="tiny", variant=variant, focus=focus, window=4, starts=6, dtype="float32"
    )
    parameters = model.train_adapter(["shallow"]) if objective == "shallow" else model.train_adapter()
    loss, count = Distiller(model, config)(rows, torch.Generator().manual_seed(1))
    loss.backward()
    norm = sum(p.grad.double().pow(2).sum() for p in parameters if p.grad is not None).sqrt()
    return float(loss.detach()), float(norm), count, model._lean is not None


@pytest.mark.parametrize(
    ("objective", "changes", "limits"),
    [
        ("distill", {}, (1035, 10, 17)),
        ("shallow", {}, (755, 9, 13)),
        ("inverse", {"variant": "c-ptp", "chain": 0}, (1770, 20, 13)),
    ],
    ids=["distill", "shallow", "inverse"],
)
def test_a_training_step_has_the_cpus_loss_and_gradients(rows, objective, changes, limits):
    expected, found, device = on_both(a_step, rows, objective, **changes)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-5)
    assert found[2:] == expected[2:]
    assert found[2] > 10
    assert found[3], "the lean layers are for every device"
    assert all(count <= limit for count, limit in zip(device.counts, limits, strict=True)), device.counts


@pytest.mark.parametrize("objective", ["distill", "shallow"])
def test_a_step_of_more_conversations_launches_no_more(rows, objective):
    *_, few = on_both(a_step, rows, objective)
    expected, found, many = on_both(a_step, rows * 4, objective)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-5)
    assert many.counts == few.counts


def test_calibration_and_evaluation(rows):
    def work(model):
        slots = calibrate(model, [PROMPT], [SAMPLING], max_new_tokens=12, draft_budget=9)
        ahead = calibrate_shallow(model, [PROMPT], [SAMPLING], max_new_tokens=12)
        value = evaluate(model, rows, tokens=12)
        return slots.draft_run, ahead.draft_run, value.tokens_per_call, evaluate(model, rows, tokens=12, reader=SHALLOW)

    expected, found, _ = on_both(work)
    assert found[:3] == expected[:3]
    assert found[3].slot_accuracy == pytest.approx(expected[3].slot_accuracy)


def test_evaluation_drafts_along_several_answers_at_once(rows):
    expected, found, device = on_both(lambda model: evaluate(model, rows * 8, tokens=12))
    assert found == expected
    assert all(count <= limit for count, limit in zip(device.counts, (764, 12, 39), strict=True)), device.counts


def test_writing_waits_once_a_step_and_once_per_kind_of_sampling():
    kinds = (SAMPLING, SamplingConfig(0.3, 8, 0.9), SamplingConfig(0.0))
    requests = [Request(PROMPT[: 2 + i], kinds[i % 3], 10, i) for i in range(6)]
    expected, found, device = on_both(lambda model: complete(model, requests, 8, stop=False))
    assert found == expected
    assert device.counts[2] <= 10 * (1 + len(kinds))


def test_measuring_costs_runs_there():
    device = EmulatedDevice()
    with device.running():
        model = make_model(device)
        assert measure_cost_curve(model).ms(1) > 0
        assert measure_draft_costs(model, "shallow").draft > 0


def test_the_device_refuses_mixed_tensors_and_counts():
    device = EmulatedDevice()
    with device.running():
        there, here = torch.ones(3, device=DEVICE), torch.ones(3)
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        with pytest.raises(RuntimeError, match="generator"):
            torch.rand(3, device=DEVICE, generator=torch.Generator())
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        device.reset()
        doubled = (there + torch.tensor(1.0)) * 2  # a tensor of one value may come from the host
        assert device.counts == (2, 0, 0)
        assert doubled.view(1, 3)[0].tolist() == [4, 4, 4]
        assert device.counts == (2, 0, 1)
        assert bool((doubled > 3).all())
        assert doubled[doubled > 3].shape == (3,)
        assert device.counts[2] == 3
        here.to(DEVICE)
        assert device.counts[1] == 1


@pytest.mark.parametrize("ties", [False, True])
def test_sorting_without_a_wait_is_sorting(ties):
    generator = torch.Generator().manual_seed(0)
    for depth in (1, 5, 50, 300):
        values = torch.randn(20, 300, generator=generator)
        if ties:
            values = values.mul(2).round().div(2)  # zeros of both signs among them
        for found, expected in zip(_sorted_by_keys(values, depth), _sorted(values, depth), strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("sampling", [SAMPLING, SamplingConfig(1.0, 0, 1.0), SamplingConfig(0.7, 0, 0.9)], ids=str)
def test_a_rows_bins_do_not_hang_on_the_rows_beside_it(sampling):
    logits = torch.randn(33, 5000, generator=torch.Generator().manual_seed(2)) * 3
    together = candidates(logits, sampling)
    for i in (0, 7, 32):
        alone = candidates(logits[i : i + 1], sampling)
        kept = alone.probs > 0
        assert torch.equal(alone.right[kept], together.right[i : i + 1, : kept.shape[1]][kept])
