"""Everything on a device that refuses mixed tensors and counts: decoders, maps, training, calibration, writing.

The device is emulated (support/emulated_device.py). Results must be the CPU's. Counts are upper limits: a change that
makes the host wait more often, or starts more kernels, is seen here and nowhere else on a machine without a GPU.
"""

from dataclasses import replace

import pytest
import torch
from support.emulated_device import DEVICE, EmulatedDevice
from support.tiny_model import make_adapter, make_target, make_tokenizer

from ptp_core import METHODS, NoiseTape, PTPModel, SamplingConfig, generate
from ptp_core.analysis import distribution, staircase, sweep, unit_square
from ptp_core.decoding.measure_costs import measure_cost_curve, measure_draft_costs
from ptp_core.engine.engine import Engine
from ptp_core.engine.seats import LOOK_EVERY
from ptp_core.sampling import COUPLINGS, _sorted, _sorted_by_keys, candidates
from ptp_core.training.batch_sampling import Request, complete
from ptp_core.training.calibrate import calibrate, calibrate_shallow
from ptp_core.training.config import TrainConfig
from ptp_core.training.conversations import Conversation
from ptp_core.training.evaluate import evaluate
from ptp_core.training.objectives import OBJECTIVES, Distiller
from ptp_core.training.shallow import SHALLOW
from ptp_core.training.windows import real_rows

PROMPT = [3, 4, 5, 6, 2, 7, 8]
SAMPLING = SamplingConfig(0.7, 8, 0.95)
# of a call, on average over a text: kernels, copies to the device, synchronisations
LIMITS = {
    "ar": (147, 3.0, 2.0),
    "ptp": (229, 6.5, 4.0),
    "pqd": (295, 9.0, 5.0),
    "shallow": (338, 8.4, 9.0),
    "shallow_lookup": (262, 6.3, 6.0),
    "parallel_shallow": (269, 8.1, 8.4),
    "parallel_shallow_lookup": (210, 5.5, 4.9),
    "independent": (289, 8.7, 4.7),
    "prompt_lookup": (150, 3.0, 2.0),
}
# the engine's kernels a call, by coupling; on CUDA two graphs launch all of them
BY_ENGINE = {"ar": (189, 319), "ptp": (274, 952), "pqd": (274, 953), "independent": (274, 404)}
WRITING = 155  # kernels of a step in which the engine writes a token of each of many texts
WITH_RECORDS = {"ar": 3.0, "pqd": 9.4}  # synchronisations where pictures need the distributions, too
AT_ONCE = (375, 2.0, 0.9)  # of a text where eight are calibrated at once
BUDGETS = {"ptp": 9, "pqd": 9, "independent": 9, "shallow": 9, "shallow_lookup": 4}
BUDGETS |= {"parallel_shallow": 9, "parallel_shallow_lookup": 4}


def make_model(device, by_engine=False, **changes):
    target = make_target(context=512)
    if device is not None:
        target = device.move(target)
    model = PTPModel(target, make_tokenizer(), make_adapter(**{"chain": 8, **changes}), name="tiny").eval()
    if by_engine:
        model.engine = Engine(model)
        model.engine.lend(Engine(model), 16, 32)  # weights and a workspace are made once, and not counted
    return model


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


def text(model, method, details, sampling, count=24, seed=1):
    options = {"draft_budget": BUDGETS[method]} if method in BUDGETS else {}
    trace = generate(model, PROMPT, method, NoiseTape(seed), sampling, max_new_tokens=count, details=details, **options)
    return trace.tokens, len(trace.steps)


@pytest.mark.parametrize("method", METHODS)
def test_a_call_waits_and_launches_no_more_than_this(method):
    expected, found, device = on_both(text, method, False, SAMPLING)
    assert found[0] == expected[0]
    assert abs(found[1] - expected[1]) <= 1  # drafts by weights in eight bits, on the CPU alone, may be others
    per_call = [count / found[1] for count in device.counts]
    assert all(count <= limit for count, limit in zip(per_call, LIMITS[method], strict=True)), (
        per_call,
        device.syncs.most_common(5),
    )


@pytest.mark.parametrize("method", BY_ENGINE)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_engine_waits_once_a_call_and_tells_it_all_at_once(method, coupling):
    """The first call reads the prompt, in a call of its own shape; the text has 24 tokens."""
    sampling = replace(SAMPLING, coupling=coupling)
    expected = text(make_model(None), method, False, sampling, 24, 4)
    _, found, device = on_both(text, method, False, sampling, 24, 4, by_engine=True)
    assert found == expected and found[1] > 4
    kernels, copies, syncs = device.counts
    most, kind = BY_ENGINE[method], COUPLINGS.index(coupling)
    assert copies == found[1] + 1
    assert syncs == found[1], device.syncs.most_common(5)
    assert kernels / found[1] <= most[kind], kernels / found[1]


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


@pytest.fixture
def own_widths(monkeypatch):
    """Batches as wide as their texts, as on the CPU: then results agree to rounding."""
    monkeypatch.setattr("ptp_core.model.text_windows.padded_width", lambda length, device: length)


def a_step(model, rows, objective):
    variant, focus = ("c-ptp", 0.0) if objective == "inverse" else ("o-ptp", 0.5)
    config = TrainConfig(
        "", "", objective=objective, init="tiny", variant=variant, focus=focus, window=4, starts=6, dtype="float32"
    )
    parameters = model.train_adapter(OBJECTIVES[objective].parts)
    loss, count = Distiller(model, config)(rows, torch.Generator().manual_seed(1))
    loss.backward()
    norm = sum(p.grad.double().pow(2).sum() for p in parameters if p.grad is not None).sqrt()
    return float(loss.detach()), float(norm), count, model._lean is not None


@pytest.mark.parametrize(
    ("objective", "changes", "limits"),
    [
        ("distill", {}, (1042, 10, 10)),
        ("shallow", {}, (758, 9, 9)),
        ("parallel", {}, (827, 9, 9)),
        ("inverse", {"variant": "c-ptp", "chain": 0}, (1770, 20, 13)),
    ],
    ids=["distill", "shallow", "parallel", "inverse"],
)
def test_a_training_step_has_the_cpus_loss_and_gradients(own_widths, rows, objective, changes, limits):
    expected, found, device = on_both(a_step, rows, objective, **changes)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-5)
    assert found[2:] == expected[2:]
    assert found[2] > 10
    assert found[3], "the lean layers are for every device"
    assert all(count <= limit for count, limit in zip(device.counts, limits, strict=True)), device.counts


@pytest.mark.parametrize("objective", ["distill", "shallow", "parallel"])
def test_a_step_of_more_conversations_launches_no_more(own_widths, rows, objective):
    *_, few = on_both(a_step, rows, objective)
    expected, found, many = on_both(a_step, rows * 4, objective)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-5)
    assert many.counts == few.counts


@pytest.mark.parametrize(("objective", "limits"), [("distill", (1050, 10, 10)), ("shallow", (768, 9, 9))])
def test_a_step_has_one_of_few_widths_there(rows, objective, limits):
    """Texts are filled up to steps of 64 tokens. That changes the rounding, and u in its last digits."""
    widths = [real_rows(make_model(None), rows[:1])[0].shape[1]]
    expected, found, device = on_both(a_step, rows * 4, objective)
    assert found[:2] == pytest.approx(expected[:2], rel=2e-3)
    assert found[2] == expected[2]
    assert all(count <= limit for count, limit in zip(device.counts, limits, strict=True)), device.counts
    with device.running():
        widths.append(real_rows(make_model(device), rows[:1])[0].shape[1])
    assert widths == [len(rows[0].ids), -(-len(rows[0].ids) // 64) * 64]


def test_calibration_and_evaluation(rows):
    def work(model):
        slots = calibrate(model, [PROMPT], [SAMPLING], max_new_tokens=12, draft_budget=9)
        ahead = calibrate_shallow(model, [PROMPT], [SAMPLING], max_new_tokens=12)
        value = evaluate(model, rows, tokens=12)
        return slots.draft_run, ahead.draft_run, value.tokens_per_call, evaluate(model, rows, tokens=12, reader=SHALLOW)

    expected, found, _ = on_both(work)
    assert found[:3] == expected[:3]
    assert found[3].slot_accuracy == pytest.approx(expected[3].slot_accuracy)


def test_calibration_decodes_many_texts_at_once():
    """Text by text, even by the engine, it waits and launches as often as its calls; here the texts share all that."""
    prompts = [(PROMPT * 3)[i : i + 3 + i] for i in range(8)]

    def work(model, at_once=None):
        options = {"max_new_tokens": 16, "draft_budget": 9, "at_once": at_once}
        return calibrate(model, prompts, [SAMPLING] * len(prompts), **options)

    expected, alone, by_engine = on_both(work, False, by_engine=True)
    assert alone == expected
    _, together, device = on_both(work)
    assert together.draft_run == expected.draft_run
    assert together.confidence == pytest.approx(expected.confidence, abs=1e-4)
    per_text = [count / len(prompts) for count in device.counts]
    assert all(count <= limit for count, limit in zip(per_text, AT_ONCE, strict=True)), (
        per_text, device.syncs.most_common(5)
    )  # fmt: skip
    assert all(few * 4 < many for few, many in zip(device.counts, by_engine.counts, strict=True)), by_engine.counts


def test_evaluation_drafts_along_several_answers_at_once(own_widths, rows):
    expected, found, device = on_both(lambda model: evaluate(model, rows * 8, tokens=12))
    assert found == expected
    assert all(count <= limit for count, limit in zip(device.counts, (764, 12, 39), strict=True)), device.counts


def test_writing_waits_once_in_many_steps():
    """By the engine's seats: texts of all temperatures together. The CPU writes the same in batches."""
    requests = [Request(PROMPT[: 2 + i % 5], SamplingConfig(i % 4 * 0.4, 8, 0.9), 32, i) for i in range(12)]
    expected, found, device = on_both(lambda model: complete(model, requests, 8, stop=False))
    assert found == expected
    steps = 2 * 32  # eight texts, and then four
    assert device.counts[2] == steps / LOOK_EVERY
    assert device.counts[1] <= 9
    assert device.counts[0] / steps <= WRITING, device.counts


def test_writing_without_the_engine_waits_once_a_step_and_once_per_kind_of_sampling(monkeypatch):
    monkeypatch.setattr("ptp_core.training.batch_sampling.obstacle", lambda model: "of another layout")
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
        assert measure_draft_costs(model, "parallel").opening >= 0


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
