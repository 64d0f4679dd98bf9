"""Drafts of slots that do not see u: their likeliest tokens, or Pick."""

import pytest
import torch

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.sampling import slot_distribution

IDS = [3, 4, 5, 9]


def first_call(model, rule, seed=0):
    """The drafts that the first call of `independent` prepared behind the prompt, and their u's."""
    options = {"noise": NoiseTape(seed), "sampling": SamplingConfig(1.0), "max_new_tokens": 12}
    trace = generate(model, IDS, "independent", **options, draft_budget=4, draft_rule=rule)
    ((branch,),) = (step.branches for step in trace.steps[:1])
    return branch.drafts


def slot_logits(model, count):
    """(count, V): what slots without u behind IDS say, in a call that the decoder has no part in."""
    config = model.adapter
    ids = torch.tensor([IDS])
    slots = model.embed_slots(torch.full((count,), 0.5), 1.0, torch.tensor([0]), torch.tensor([IDS[-1]]))[None]
    first = len(IDS) + config.lead + config.position_shift
    positions, total = torch.cat([torch.arange(len(IDS)), first + torch.arange(count)]), len(IDS) + count
    mask = torch.ones(total, total, dtype=torch.bool).tril()
    with torch.inference_mode():
        hidden = model(ids, slots, positions=positions, mask=mask)[0]
        return model.logits(hidden[len(IDS) :])


def test_drafts_are_the_likeliest_tokens_of_their_slots(make_model):
    for seed in range(4):
        model = make_model(seed=seed, variant="independent", kind="blank")
        drafts = first_call(model, "argmax")
        logits = slot_logits(model, len(drafts))
        assert [d.token for d in drafts] == logits.argmax(-1).tolist()
        assert [d.prob for d in drafts] == pytest.approx(logits.softmax(-1).amax(-1).tolist(), abs=1e-5)
        assert {d.margin for d in drafts} == {1.0}


def test_by_pick_drafts_are_where_u_falls_in_their_slots_distributions(make_model):
    """Also the negative control of the test above: not every draft by Pick is the likeliest token."""
    unlikely = 0
    for seed in range(4):
        model = make_model(seed=seed, variant="independent", kind="blank")
        drafts = first_call(model, "pick", seed)
        logits = slot_logits(model, len(drafts))
        found = slot_distribution(logits, "probability", full=True)
        columns = found.find(torch.tensor([d.u for d in drafts]))[:, None]
        assert [d.token for d in drafts] == found.tokens.gather(1, columns).squeeze(1).tolist()
        unlikely += sum(d.token != best for d, best in zip(drafts, logits.argmax(-1).tolist(), strict=True))
    assert unlikely > 3


def test_the_confidence_of_a_draft_is_of_its_own_rule(make_model):
    """A u-blind adapter's weights: sure of what argmax drafts, unsure of what Pick drafts."""
    from ptp_core.model.config import DraftFigures

    sure, unsure = (0.0, 0.0, 4.0), (0.0, 0.0, -4.0)
    model = make_model(
        variant="independent", kind="blank", confidence=sure, picked=DraftFigures((0.2,), (), unsure)
    )  # fmt: skip
    assert {round(d.prob, 2) for d in first_call(model, "argmax")} == {0.98}
    assert {round(d.prob, 2) for d in first_call(model, "pick")} == {0.02}


def test_only_independent_knows_the_rule(make_model):
    model = make_model()
    options = {"noise": NoiseTape(5), "max_new_tokens": 10, "draft_budget": 6}
    for method in ("ptp", "pqd"):
        texts = [generate(model, IDS, method, **options, draft_rule=rule) for rule in ("argmax", "pick")]
        tokens = [[d.token for s in trace.steps for b in s.branches for d in b.drafts] for trace in texts]
        assert tokens[0] == tokens[1]
