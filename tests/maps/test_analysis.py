"""Noise maps against brute force: every map is checked by decoding, or by asking the draft, point by point."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from support.tiny_model import make_adapter, make_target, make_tokenizer, save_whole

from ptp_core import NoiseTape, SamplingConfig, analysis, generate, pick
from ptp_core.maps.blind import BLIND_ADAPTER
from ptp_core.maps.contexts import Contexts
from ptp_core.maps.position import Place
from ptp_core.maps.scan import Scan, middles
from ptp_core.model.ptp_model import PTPModel

SAMPLINGS = [
    SamplingConfig(),
    SamplingConfig(temperature=0),
    SamplingConfig(temperature=1.0, top_k=0, top_p=1, order="token_id"),
    SamplingConfig(temperature=1.0, top_k=6, top_p=0.9),
    SamplingConfig(temperature=0.5, top_k=5, top_p=0.9, order="token_id", filter="reference"),
]
VARIANTS = {  # with an embedding of u that is as smooth as a trained one; the default of the tests is not
    "o-ptp": {"kind": "linear_interpolation"},
    "anchor": {"kind": "linear_interpolation", "anchor": True},
    "c-ptp": {"kind": "linear_interpolation", "variant": "c-ptp"},
    "c-ptp-start": {"kind": "linear_interpolation", "variant": "c-ptp", "start_slot": True},
}
ROUNDING = 1e-5  # invariant 1: rounding may move an edge by that much


def story(model, method="ar", seed=3, sampling=SAMPLINGS[0], length=14, ids=(3, 5, 4)):
    return generate(
        model, list(ids), method, noise=NoiseTape(seed), sampling=sampling, max_new_tokens=length,
        **({} if method == "ar" else {"draft_budget": 9}),
    )  # fmt: skip


def long_story(model, **options):
    """The first seed's text that does not end early."""
    for seed in range(60):
        trace = story(model, seed=seed, **options)
        if len(trace.tokens) >= 12:
            return trace
    raise AssertionError("every text ends early")


def token_at(model, trace, position, noise):
    """Brute force: decode the text on another tape and look."""
    again = generate(
        model, trace.prompt_tokens, "ar", noise=noise, sampling=trace.sampling, max_new_tokens=position + 1,
        details=False,
    )  # fmt: skip
    return again.tokens[position] if len(again.tokens) > position else None


# ---- distribution ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_distribution_is_the_one_the_text_was_drawn_from(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    contexts = Contexts()
    for position in (0, 5, len(trace.tokens) - 1):
        found, known = analysis.distribution(tiny, trace, position, contexts), trace.emitted[position]
        assert (found.token, found.u, found.text) == (known.token, known.u, known.text)
        assert found.left == pytest.approx(known.left, abs=ROUNDING)
        assert found.right == pytest.approx(known.right, abs=ROUNDING)
        assert sum(c.prob for c in found.candidates) == pytest.approx(1 - found.omitted_mass, abs=1e-6)
        edges = [c.left for c in found.candidates]
        assert edges == sorted(edges)


def test_a_known_context_is_not_read_again(tiny):
    trace = long_story(tiny)
    contexts = Contexts()
    analysis.distribution(tiny, trace, 9, contexts)
    before = contexts.calls
    for position in (9, 4, 0):
        assert Place(tiny, trace, position, contexts).calls == 1
    assert contexts.calls == before


@pytest.mark.parametrize("sampling", [SAMPLINGS[0], SAMPLINGS[2]], ids=str)
def test_the_nearest_flip_flips_and_half_of_it_does_not(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    flips = 0
    for position, token in enumerate(trace.emitted):
        flip = analysis.nearest_flip(analysis.distribution(tiny, trace, position))
        if flip is None:
            continue
        assert abs(flip - token.u) == pytest.approx(token.margin, abs=ROUNDING)
        beyond = flip + np.sign(flip - token.u) * ROUNDING  # on the far side of a rounding error
        if 0 <= beyond < 1 and token.margin > 4 * ROUNDING:
            flips += 1
            assert token_at(tiny, trace, position, trace.noise.with_value(position, beyond)) != token.token
            half = (token.u + flip) / 2
            assert token_at(tiny, trace, position, trace.noise.with_value(position, half)) == token.token
    assert flips > 5


def test_a_certain_token_has_no_flip(tiny):
    trace = long_story(tiny, sampling=SAMPLINGS[1])
    assert analysis.nearest_flip(analysis.distribution(tiny, trace, 3)) is None


# ---- what if --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ar", "ptp", "pqd", "independent", "prompt_lookup"])
@pytest.mark.parametrize("quick", [False, True])
def test_what_if_equals_decoding_the_edited_tape_from_scratch(make_model, method, quick):
    model = make_model(quick=quick)
    draw = random.Random(5)
    contexts = Contexts()
    differing = 0
    for seed in range(5):
        trace = story(model, method if method != "prompt_lookup" else "ar", seed=seed)
        trace = replace(trace, method=method)
        for position in {0, len(trace.tokens) - 1, draw.randrange(len(trace.tokens))}:
            u = draw.random()
            changed = analysis.what_if(model, trace, position, u, contexts, max_new_tokens=14)
            noise = trace.noise.with_value(position, u)
            scratch = generate(model, trace.prompt_tokens, method, noise=noise, max_new_tokens=14)
            assert changed.tokens == scratch.tokens
            assert changed.text == scratch.text
            assert changed.noise == noise
            assert changed.from_dict(changed.to_dict()) == changed, "it is a whole trace"
            assert analysis.changed(trace, changed)[:1] in ([], [position])
            differing += changed.tokens != trace.tokens
    assert differing > 3


def test_what_if_goes_no_further_than_an_end_of_text(tiny):
    """A longer answer is asked for, and the edit lies behind the end."""
    ended = [t for t in (story(tiny, "pqd", seed=seed) for seed in range(60)) if t.tokens[-1] in tiny.eos_tokens]
    assert ended
    for trace in ended:
        far = trace.noise.with_value(len(trace.tokens) + 3, 0.123)
        fresh, steps = analysis.redecode_steps(tiny, trace, far, max_new_tokens=40)
        assert list(steps) == []
        assert fresh.tokens == trace.tokens


def test_what_if_keeps_the_calls_before_and_makes_only_those_behind(tiny):
    trace = long_story(tiny)
    changed = analysis.what_if(tiny, trace, 8, 0.999)
    assert changed.steps[:8] == trace.steps[:8]
    assert [step.index for step in changed.steps] == list(range(len(changed.steps)))
    assert any("anew from call 9" in note for note in changed.notes)
    contexts = Contexts()
    analysis.distribution(tiny, trace, 11, contexts)
    before = contexts.calls
    _, steps = analysis.redecode_steps(tiny, trace, trace.noise.with_value(8, 0.999), contexts)
    assert next(steps).num_positions == 1
    assert contexts.calls == before, "the cached context is used"


def test_changed_counts_missing_tokens():
    class Text:
        def __init__(self, *tokens):
            self.tokens = tokens

    assert analysis.changed(Text(1, 2, 3), Text(1, 5, 3, 4)) == [1, 3]
    assert analysis.changed(Text(1, 2), Text(1, 2)) == []


# ---- scans ----------------------------------------------------------------------------------------------


def test_scan_finds_every_change_and_says_how_well():
    edges = (0.21, 0.5001, 0.93)

    def answer(u):
        return sum(u >= edge for edge in edges)

    scan = Scan(middles(8))
    while scan.wanted:
        scan.learn([answer(u) for u in scan.wanted], 1 / 256)
    found, doubt = scan.stretches()
    assert [value for *_, value in found] == [0, 1, 2, 3]
    for (_, right, _), edge in zip(found, edges, strict=False):
        assert abs(right - edge) <= 1 / 512
    assert doubt <= 3 / 256
    left, right, error = scan.around(0.6)
    assert abs(left - 0.5001) <= error <= 1 / 512
    assert abs(right - 0.93) <= error


# ---- sweep ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_the_targets_sweep_against_decoding(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    found = analysis.sweep(tiny, trace, 3, 7)
    assert found.target[0].left == 0
    assert found.target[-1].right == 1
    for before, after in zip(found.target, found.target[1:], strict=False):
        assert before.right == after.left
    for stretch in found.target:
        if stretch.right - stretch.left < 4 * ROUNDING:
            continue
        noise = trace.noise.with_value(3, (stretch.left + stretch.right) / 2)
        again = generate(tiny, trace.prompt_tokens, "ar", noise=noise, sampling=sampling, max_new_tokens=8)
        assert again.tokens[3:] == stretch.tokens


@pytest.mark.parametrize("variant", VARIANTS)
def test_windows_are_the_draft_that_the_model_gives(make_model, variant):
    model = make_model(**VARIANTS[variant])
    trace = long_story(model)
    noise = [NoiseTape(seed).values(0, 4) for seed in range(15)]
    assert Place(model, trace, 4).windows(noise) == [slow_window(model, trace, 4, u) for u in noise]


def slow_window(model, trace, position, u):
    """One window by the model's public draft_logits, read by hand."""
    ids = [*trace.prompt_tokens, *trace.tokens[:position]]
    probs = model.draft_logits(ids, u, trace.sampling).softmax(-1)
    if model.adapter.variant == "o-ptp":
        return tuple(probs.argmax(-1).tolist())
    return tuple(pick(row, value, trace.sampling.order).item() for row, value in zip(probs, u, strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_drafts_sweep_against_asking_it_at_random_points(make_model, variant):
    """The first grid has 33 points; thinner stretches may be missed, on at most 8 % of u (seeded)."""
    model = make_model(**VARIANTS[variant])
    trace = long_story(model)
    found = analysis.sweep(model, trace, 4, 7)
    rest = trace.noise.values(5, 8)
    draw = random.Random(1)
    points = [u for u in (draw.random() for _ in range(300)) if all(abs(u - s.left) > 1 / 256 for s in found.draft)]
    wrong = 0
    for u in points:
        tokens = list(slow_window(model, trace, 4, [u, *rest]))
        end = next((i for i, token in enumerate(tokens) if token in model.eos_tokens), len(tokens))
        wrong += next(s.tokens for s in found.draft if s.left <= u < s.right) != tokens[: end + 1]
    assert len(points) > 100
    assert wrong <= 0.08 * len(points)
    assert found.probes[1] <= 4
    assert len(found.draft) > 1, "the draft reads u"


def test_a_sweep_that_misses_much_says_so(tiny):
    """The random embedding of the tiny model makes a draft that changes too fast for any map."""
    found = analysis.sweep(tiny, long_story(tiny), 4, 7)
    assert found.probes[0] == 32
    assert found.probes[1] > 3


def test_safe_interval(make_model):
    tiny = make_model(**VARIANTS["o-ptp"])
    trace = long_story(tiny)
    for position in (2, 6, 9):
        found = analysis.safe_interval(tiny, trace, position)
        assert found.left <= found.u < found.right
        for u, same in ((found.left + ROUNDING, True), (found.right - ROUNDING, True), (found.right + ROUNDING, False)):
            if u < 1:
                noise = trace.noise.with_value(position, u)
                assert (token_at(tiny, trace, position, noise) == trace.tokens[position]) is same
        window = trace.noise.values(position, position + tiny.adapter.window)
        own = slow_window(tiny, trace, position, window)
        assert found.draft_left <= found.u < found.draft_right
        for edge, inside in ((found.draft_left, 1), (found.draft_right, -1)):
            if 0 < edge < 1:
                for side, same in ((inside, True), (-inside, False)):
                    u = edge + side * (found.draft_error + ROUNDING)
                    assert (slow_window(tiny, trace, position, [u, *window[1:]]) == own) is same


def test_without_an_adapter_there_is_no_draft_to_show(make_model):
    model = make_model(adapter=False)
    trace = long_story(model)
    assert analysis.sweep(model, trace, 2, 5).draft is None
    assert analysis.safe_interval(model, trace, 2).draft_left is None
    assert analysis.unit_square(model, trace, 2).draft is None
    assert analysis.staircase(model, trace, 2).kind is None


# ---- unit square ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_the_targets_square_against_decoding(tiny, sampling):
    trace = long_story(tiny, sampling=sampling)
    found = analysis.unit_square(tiny, trace, 3)
    cells = [(column, cell) for column in found.target for cell in column.cells]
    assert found.omitted == pytest.approx(0, abs=1e-5)
    if sampling.temperature == 0:
        assert len(cells) == 1
    checked = 0
    for column, cell in cells:
        if column.right - column.left < 4 * ROUNDING or cell.top - cell.bottom < 4 * ROUNDING:
            continue
        checked += 1
        noise = trace.noise.with_value(3, (column.left + column.right) / 2).with_value(4, (cell.bottom + cell.top) / 2)
        again = generate(tiny, trace.prompt_tokens, "ar", noise=noise, sampling=sampling, max_new_tokens=5)
        ended = again.tokens[3] in tiny.eos_tokens
        assert again.tokens[3:] == ([column.token] if ended else [column.token, cell.token])
    assert checked == len(cells) or checked > 10


def dense_agreement(model, trace, position, draft, size=40):
    """(second, pair) by asking at size x size points."""
    place = Place(model, trace, position)
    firsts = [place.picked(u) for u in middles(size)]
    above = place.extend_lanes(firsts)
    place.close_lanes()
    second = pair = 0
    for i, u1 in enumerate(middles(size)):
        row = [draft(u1, u2) for u2 in middles(size)]
        columns = above.right[i].tolist()
        theirs = [above.tokens[i, np.searchsorted(columns, u2, side="right")].item() for u2 in middles(size)]
        hits = sum(mine[1] == other for mine, other in zip(row, theirs, strict=True))
        second, pair = second + hits, pair + hits * (row[0][0] == firsts[i])
    return second / size**2, pair / size**2


def likeliest_without_u(model, trace, position, count):
    """Brute force: the likeliest tokens of slots that all carry 0.5; a token that verification settles is None."""
    ids = [*trace.prompt_tokens, *trace.tokens[:position]]
    lead = model.adapter.lead
    logits = model.draft_logits(ids, [0.5] * count, trace.sampling)
    return [*[None] * lead, *logits[lead:].argmax(-1).tolist()]


BLIND = {**VARIANTS, "independent": {"kind": "blank", "variant": "independent"}}


@pytest.mark.parametrize("variant", ["o-ptp", "c-ptp", "c-ptp-start", "independent"])
def test_the_u_blind_square_is_exact(make_model, variant):
    model = make_model(**BLIND[variant])
    trace = long_story(model)
    square = analysis.unit_square(model, trace, 4)
    found = square.blind
    first, second = likeliest_without_u(model, trace, 4, 2)
    assert {cell.token for column in found.columns for cell in column.cells} == {second}
    assert first is None or [column.token for column in found.columns] == [first]
    assert (square.blind_by.adapter, square.blind_by.trained) == ("tiny-1", variant == "independent")

    def ask(u1, u2):
        column = next(c for c in found.columns if c.left <= u1 < c.right)
        return column.token, next(c.token for c in column.cells if c.bottom <= u2 < c.top)

    second, pair = dense_agreement(model, trace, 4, ask, size=60)
    assert found.agreement.second == pytest.approx(second, abs=0.03)
    assert found.agreement.pair == pytest.approx(pair, abs=0.03)
    assert found.agreement.error == 0


@pytest.mark.parametrize("variant", ["o-ptp", "independent"])
def test_sweep_and_staircase_show_the_draft_without_u(make_model, variant):
    model = make_model(**BLIND[variant])
    trace = long_story(model)
    swept = analysis.sweep(model, trace, 4, 6)
    tokens = likeliest_without_u(model, trace, 4, 3)
    for stretch in swept.blind:
        whole = [stretch.tokens[0] if tokens[0] is None else tokens[0], *tokens[1:]]
        end = next((i for i, token in enumerate(whole) if token in model.eos_tokens), len(whole))
        assert stretch.tokens == whole[: end + 1]
    firsts = [(s.left, s.right, s.tokens[0]) for s in swept.blind]
    own = [(s.left, s.right, s.tokens[0]) for s in swept.target]
    assert firsts == own if tokens[0] is None else len(firsts) == 1
    stairs, lead = analysis.staircase(model, trace, 5), model.adapter.lead
    assert stairs.blind == likeliest_without_u(model, trace, 5 - lead, 1 + lead)[-1]
    chance = {c.token: c.prob for c in stairs.target.candidates}.get(stairs.blind, 0.0)
    assert stairs.blind_agreement == pytest.approx(chance, abs=1e-5)
    assert stairs.blind_by == swept.blind_by


def test_an_adapter_trained_without_u_draws_beside_the_models_own(make_model, tmp_path, monkeypatch):
    """The shipped one, on the same weights, and only there."""
    blind = make_adapter(seed=9, kind="blank", variant="independent", shallow=None, target={"sha256": "these"})
    save_whole(tmp_path / BLIND_ADAPTER, blind)
    monkeypatch.setattr("ptp_core.maps.blind.adapters_folder", lambda: tmp_path)
    for weights, trained in (("these", True), ("others", False)):
        model = PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny", target_info={"sha256": weights})
        trace = long_story(model.eval())
        square = analysis.unit_square(model, trace, 4)
        assert square.blind_by.trained is trained
        alone = PTPModel(make_target(), make_tokenizer(), blind, name="tiny").eval()
        theirs = likeliest_without_u(alone, trace, 4, 2)[1]
        shown = {cell.token for column in square.blind.columns for cell in column.cells}
        assert (shown == {theirs}) is trained or not trained


def test_the_error_bar_of_the_sampled_area_covers_the_true_one():
    """Stated: 95 %. 60 seeded squares; fewer than 53 hits have probability 0.9 % if the statement holds.
    Control: bars a sixth as long must miss often."""
    hits = tight = total = 0
    for model, trace, truth, variant in dense_cases():
        for seed in range(4):
            found = analysis.unit_square(model, trace, 4, seed=seed).draft.agreement
            total += 1
            hits += abs(found.second - truth) <= found.error
            tight += abs(found.second - truth) <= found.error / 6
        assert variant in VARIANTS
    assert total == 60
    assert hits >= 53
    assert tight < 53


def dense_cases():
    """15 (model, trace, true area, variant): random drafts of several kinds and positions' contexts."""
    for case in range(15):
        variant = ("o-ptp", "anchor", "c-ptp")[case % 3]
        kind = ("fourier", "linear_interpolation")[case % 2]  # rough and smooth
        adapter = make_adapter(seed=case, size=0.15, **{**VARIANTS[variant], "kind": kind})
        model = PTPModel(make_target(case % 4), make_tokenizer(), adapter, name="tiny").eval()
        trace = long_story(model)
        place = Place(model, trace, 4)
        size = 40
        grid = middles(size)
        if place.reads_own_u:
            rows = place.second_tokens(grid, [grid] * size)
        else:
            found = place.second_distributions(grid)
            rows = [
                [found.tokens[i, np.searchsorted(found.right[i].tolist(), u2, side="right")].item() for u2 in grid]
                for i in range(size)
            ]
        answers = {(u1, u2): (None, rows[i][k]) for i, u1 in enumerate(grid) for k, u2 in enumerate(grid)}
        yield model, trace, dense_agreement(model, trace, 4, lambda a, b: answers[a, b], size)[0], variant  # noqa: B023


# ---- staircase ------------------------------------------------------------------------------------------


def test_the_staircase_of_o_ptp_is_its_argmax_over_u(make_model):
    tiny = make_model(**VARIANTS["o-ptp"])
    trace = long_story(tiny)
    found = analysis.staircase(tiny, trace, 5)
    assert found.kind == "argmax"
    grid = middles(150)
    place = Place(tiny, trace, 5)
    mine = [slow_window(tiny, trace, 5, [u])[0] for u in grid]
    shown = [next(s.tokens[0] for s in found.draft if s.left <= u < s.right) for u in grid]
    assert sum(a != b for a, b in zip(mine, shown, strict=True)) <= 5
    same = sum(token == place.picked(u) for token, u in zip(mine, grid, strict=True)) / len(grid)
    assert found.agreement == pytest.approx(same, abs=0.03)
    assert 0 <= found.total_variation <= 1 - found.agreement + 1e-6


@pytest.mark.parametrize("variant", ["c-ptp", "c-ptp-start"])
def test_the_staircase_of_c_ptp_is_the_distribution_it_recovers(make_model, variant):
    model = make_model(**VARIANTS[variant])
    trace = long_story(model)
    found = analysis.staircase(model, trace, 5)
    assert found.kind == "recovered"
    lead = model.adapter.lead
    ids = [*trace.prompt_tokens, *trace.tokens[: 5 - lead]]
    probs = model.draft_logits(ids, trace.noise.values(5 - lead, 6), trace.sampling).softmax(-1)[-1]
    for stretch in found.draft:
        assert stretch.right - stretch.left == pytest.approx(probs[stretch.tokens[0]].item(), abs=1e-5)
    target = {c.token: c.prob for c in found.target.candidates}
    distance = sum(abs(probs[t].item() - target.get(t, 0.0)) for t in range(len(probs))) / 2
    assert found.total_variation == pytest.approx(distance, abs=1e-4)


# ---- what is refused ------------------------------------------------------------------------------------


def test_foreign_traces_and_places_outside_the_text_are_refused(tiny):
    trace = long_story(tiny)
    for function in (analysis.distribution, analysis.safe_interval, analysis.unit_square, analysis.staircase):
        with pytest.raises(ValueError, match="no position 99"):
            function(tiny, trace, 99)
        with pytest.raises(ValueError, match="written by other"):
            function(tiny, replace(trace, model="other"), 1)
        with pytest.raises(ValueError, match="not tokens of"):
            function(tiny, replace(trace, prompt_tokens=[5000]), 1)
    with pytest.raises(ValueError, match="A sweep covers"):
        analysis.sweep(tiny, trace, 5, 2)
    for u in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="must lie in"):
            analysis.what_if(tiny, trace, 3, u)
