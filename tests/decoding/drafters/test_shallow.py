import pytest
import torch

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.decoding.costs import DraftCosts
from ptp_core.decoding.decode import start_decoding
from ptp_core.decoding.drafters.lookup import find_continuation
from ptp_core.decoding.drafters.shallow import DraftDepth

SAMPLING = SamplingConfig()


def drafts_by_hand(model, ids, noise, first, count):
    """What shallow slots draft behind ids, whose last token a call has just chosen: whole windows, no cache kept."""
    slots = model.shallow
    cache = model.new_cache(len(ids))
    mask = torch.ones(len(ids) - 1, len(ids) - 1, dtype=torch.bool).tril()
    hidden = model(torch.tensor([ids[:-1]]), positions=torch.arange(len(ids) - 1), mask=mask, cache=cache)
    cache.keep(len(ids) - 1)
    text = list(ids)
    for k in range(count):
        u = torch.tensor([[noise.values(first, first + k + 1)]])
        tokens = torch.tensor([[text[len(ids) - 1 :]]])
        places = len(ids) - 1 + torch.arange(k + 1)[None, None]
        seen = torch.ones(1, 1, len(ids) - 1, dtype=torch.bool)
        heat = torch.full_like(u, SAMPLING.temperature)
        rows = slots.windows(u, heat, tokens, hidden[:, -1:], places, seen, cache)
        text.append(int(slots.vocabulary[slots.logits(rows[0, 0, -1]).argmax()]))
    return text[len(ids) :]


def test_decoding_drafts_what_whole_windows_draft(make_model):
    """Every draft of every call, in contexts that the run itself made. Weights are rounded to eight bits where the
    machine multiplies those, so a near tie may fall otherwise: one draft in ten may."""
    model, same, checked = make_model(), 0, 0
    for seed in range(6):
        ids, noise = [3, 4 + seed, 5], NoiseTape(seed)
        trace = generate(model, ids, "shallow", noise, SAMPLING, max_new_tokens=16, draft_budget=3)
        text = []
        for step in trace.steps:
            if step.drafts:
                expected = drafts_by_hand(model, [*ids, *text], noise, len(text), len(step.drafts))
                same += [d.token for d in step.drafts] == expected
                checked += 1
            text += [e.token for e in step.emitted]
    assert checked > 20
    assert same >= 0.9 * checked


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("budget", [0, 1, 3, "auto"])
@pytest.mark.parametrize("method", ["shallow", "shallow_lookup"])
def test_texts_are_those_of_plain_decoding(make_model, method, quick, budget):
    model, accepted = make_model(quick=quick), 0
    for seed in range(12):
        sampling = SamplingConfig((0.7, 0.0, 1.0)[seed % 3])
        ids, noise = [3, 4 + seed % 6], NoiseTape(seed)
        plain = generate(model, ids, "ar", noise, sampling, max_new_tokens=20)
        found = generate(model, ids, method, noise, sampling, max_new_tokens=20, draft_budget=budget)
        assert found.tokens == plain.tokens
        accepted += sum(step.num_accepted for step in found.steps)
        if isinstance(budget, int):
            assert max(len(step.drafts) for step in found.steps) <= budget
    assert (accepted > 0) == (budget != 0) or budget == "auto"


def test_a_stopped_run_leaves_the_model_as_it_was(make_model):
    model = make_model()
    whole = generate(model, [3, 4], "shallow", NoiseTape(1), SAMPLING, max_new_tokens=12, draft_budget=3)
    steps = start_decoding(model, [3, 4], "shallow", NoiseTape(1), SAMPLING, max_new_tokens=12, draft_budget=3)
    next(steps), next(steps)
    steps.close()
    again = generate(model, [3, 4], "shallow", NoiseTape(1), SAMPLING, max_new_tokens=12, draft_budget=3)
    assert again.tokens == whole.tokens
    assert [len(s.drafts) for s in again.steps] == [len(s.drafts) for s in whole.steps]


def test_drafting_stops_where_it_no_longer_pays():
    costs = DraftCosts(call=10.0, row=0.5, draft=1.0)
    depth = DraftDepth((0.5, 0.25, 0.125), 4, 0, costs)
    assert depth.pays([])
    assert depth.pays([0.9, 0.9])
    assert not depth.pays([0.2])  # 0.2 x 0.5 tokens at some 7 ms are worth less than 1.5 ms
    assert not depth.pays([0.99] * 4)  # no more than a window
    assert not DraftDepth((0.1,), 4, 0, costs).pays([])
    fixed = DraftDepth((0.1,), 4, 2, None)
    assert [fixed.pays([0.0] * n) for n in range(4)] == [True, True, False, False]


def test_the_first_draft_pays_the_opening_with_the_help_of_those_behind_it():
    def pays(opening, run=(0.6, 0.4, 0.25)):
        return DraftDepth(run, 3, 0, DraftCosts(call=10.0, row=0.3, draft=0.2, opening=opening)).pays([])

    # a token saves 10 / 1.6 ms; three drafts save 1.25 tokens and cost 1.5 ms
    assert pays(0.0) and pays(4.0) and pays(6.0)
    assert not pays(6.5)
    assert not pays(4.0, (0.6, 0.0, 0.0))  # the first alone saves 3.75 ms, less its 0.5
    slow = DraftDepth((0.6, 0.4, 0.25), 3, 0, DraftCosts(call=10.0, row=0.3, draft=0.2, opening=4.0))
    for _ in range(60):  # it takes four times as long as measured
        slow.observe([None] * 3, accepted=1, emitted=2, call_ms=10.9, draft_ms=4 * 4.6)
    assert not slow.pays([])


def test_drafting_learns_what_comes_true():
    costs = DraftCosts(call=10.0, row=0.5, draft=1.0)
    unlucky, lucky = DraftDepth((0.4, 0.1), 4, 0, costs), DraftDepth((0.1, 0.02), 4, 0, costs)
    assert unlucky.pays([])
    assert not lucky.pays([])
    for _ in range(40):
        unlucky.observe([None], accepted=0, emitted=1, call_ms=10.5, draft_ms=1.0)
        lucky.observe([None, None], accepted=2, emitted=3, call_ms=11.0, draft_ms=2.0)
    assert not unlucky.pays([])
    assert lucky.pays([])
    assert lucky.rate(0) > 0.8
    assert unlucky.rate(1) == pytest.approx(0.25)  # never reached, so as it was


def test_drafting_learns_what_things_cost():
    """Costs that were measured on a busy machine lose their say: here drafts are ten times as cheap as they seemed."""
    depth = DraftDepth((0.3, 0.1), 4, 0, DraftCosts(call=10.0, row=0.1, draft=5.0))
    assert not depth.pays([])
    for _ in range(40):
        depth.observe([None], accepted=0, emitted=1, call_ms=10.0, draft_ms=0.5)
        depth.observe([None], accepted=1, emitted=2, call_ms=10.0, draft_ms=0.5)
    assert depth.pays([])


def test_the_first_draft_is_looked_up_where_that_promises_more():
    depth = DraftDepth((0.4, 0.1), 4, 0, DraftCosts(call=10.0, row=0.3, draft=1.0))
    assert not depth.lookup_leads(0)
    assert not depth.lookup_leads(1)
    assert depth.lookup_leads(3)
    for _ in range(60):
        depth.observe([3], accepted=0, emitted=1, call_ms=10.0, draft_ms=0.0)
    assert not depth.lookup_leads(3)
    assert depth.lookup_pays([0.9], 4)
    assert not depth.lookup_pays([0.01], 4)
    assert not depth.lookup_pays([0.9] * 4, 4)  # no more than a window


def test_lookup_goes_on_where_the_text_repeats_itself(make_model):
    """Looked-up drafts are the ones behind the last words' earlier place; the text is that of plain decoding."""
    model, looked, accepted = make_model(), 0, 0
    for seed in range(12):
        ids, noise = [3, 4, 5, 6, 7, 8, 3, 4, 5, 6, 7, 8, 3, 4], NoiseTape(seed)
        plain = generate(model, ids, "ar", noise, SAMPLING, max_new_tokens=24)
        for budget in (4, "auto"):
            found = generate(model, ids, "shallow_lookup", noise, SAMPLING, max_new_tokens=24, draft_budget=budget)
            assert found.tokens == plain.tokens
            text = [*ids]
            for step in found.steps:
                drafts = [d.token for d in step.drafts]
                ahead = find_continuation(text, 4)
                looked += bool(drafts) and drafts == ahead[: len(drafts)] and len(drafts) > 1
                accepted += step.num_accepted
                text += [e.token for e in step.emitted]
    assert looked > 20
    assert accepted > 10
