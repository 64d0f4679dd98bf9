from dataclasses import replace

import torch
from support.tiny_model import SHALLOW, make_adapter, make_target, make_tokenizer
from support.windows import conversation

from ptp_core import NoiseTape, SamplingConfig, generate
from ptp_core.model.ptp_model import PTPModel
from ptp_core.training.calibrate import calibrate_shallow
from ptp_core.training.evaluate import evaluate
from ptp_core.training.losses import slot_loss
from ptp_core.training.shallow import SHALLOW as SHALLOW_READER
from ptp_core.training.shallow import _entering, frequent_tokens, prepare_shallow, shallow_hidden
from ptp_core.training.windows import IGNORE, WindowConfig, draw_windows

SAMPLING = SamplingConfig()


def test_the_entry_is_least_squares():
    """It explains nearly all of what enters the first layer, the token's embedding; some of what enters the last."""
    model = PTPModel(make_target(), make_tokenizer(), make_adapter(shallow=replace(SHALLOW, depth=2)), name="tiny")
    rows = [conversation(model)]
    explained = prepare_shallow(model, rows)
    assert explained > 0.9  # what enters the first layer is the token's embedding, normalised in the entry
    tokens, _settling, entering = _entering(model, rows[0].ids, 2)
    assert torch.allclose(entering, tokens, atol=1e-5)
    one = PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny")
    assert 0 < prepare_shallow(one, rows) <= 1
    with torch.no_grad():
        noise = one.shallow.enter(*_entering(one, rows[0].ids, SHALLOW.depth)[:2], torch.rand(len(tokens)), 0.7)
    assert torch.isfinite(noise).all()


def test_the_vocabulary_is_what_the_texts_say_most():
    found = frequent_tokens([[7, 7, 7, 3, 3, 9], [7, 5]], 4, [0], 12)
    assert found.tolist() == [0, 3, 5, 7]  # of 5 and 9, said once each, the lower
    assert frequent_tokens([[7]], 4, [], 12).tolist() == [0, 1, 2, 7]


def test_shallow_slots_learn_a_text_by_heart():
    model = PTPModel(
        make_target(), make_tokenizer(), make_adapter(shallow=replace(SHALLOW, vocabulary=13)), name="tiny"
    )
    row = conversation(model)
    before = [p.clone() for p in model.lora["model.layers.0.mlp.up_proj"].parameters()]
    optimizer = torch.optim.Adam(model.train_adapter(["shallow"]), 1e-2)
    for step in range(150):
        batch, context = draw_windows(model, [row], WindowConfig(4, 64), torch.Generator().manual_seed(step % 4))
        loss = slot_loss(model, batch, shallow_hidden(model, batch, context), 1, "cross_entropy", 1.0, None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        batch, context = draw_windows(model, [row], WindowConfig(4, 64), torch.Generator().manual_seed(2))
        logits = model.shallow.logits(shallow_hidden(model, batch, context))
    targets = batch.targets[..., 1:]
    valid = targets != IGNORE
    assert (logits.argmax(-1)[valid] == targets[valid]).float().mean() > 0.97
    assert all(
        torch.equal(a, b) for a, b in zip(before, model.lora["model.layers.0.mlp.up_proj"].parameters(), strict=True)
    )
    trained = generate(model, row.ids[: row.p], "shallow", NoiseTape(0), SAMPLING, max_new_tokens=8, draft_budget=3)
    assert trained.tokens == generate(model, row.ids[: row.p], "ar", NoiseTape(0), SAMPLING, max_new_tokens=8).tokens


def test_evaluation_drafts_with_shallow_slots(make_model):
    model = make_model()
    found = evaluate(model, [conversation(model)], reader=SHALLOW_READER, tokens=12)
    assert found.without_chain is None
    assert len(found.draft_run) == 4  # of a window of four
    assert found.slot_accuracy[0] == 1.0  # the settled token
    assert 1 <= found.tokens_per_call < 5


def test_calibration_measures_shallow_drafts(make_model):
    model = make_model()
    found = calibrate_shallow(model, [[3, 4], [5, 6, 7]] * 4, [SAMPLING] * 8, max_new_tokens=16)
    assert len(found.draft_run) == 4
    assert found.drafts > 20
    assert model.shallow.config.confidence is None  # put back
