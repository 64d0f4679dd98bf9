"""What decoding refuses, and what it says of a combination."""

import pytest

from ptp_core import SamplingConfig, generate
from ptp_core.methods import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_bad_arguments_are_refused_before_any_call(make_model, method):
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(make_model(), [], method)
    with pytest.raises(ValueError, match="max_new_tokens"):
        generate(make_model(), [3], method, max_new_tokens=0)


def test_other_bad_arguments(make_model):
    with pytest.raises(ValueError, match="Unknown method"):
        generate(make_model(), [3], "magic")
    with pytest.raises(ValueError, match="num_speculative_tokens"):
        generate(make_model(), [3], "pqd", num_speculative_tokens=-1)
    for budget in (-1, 1.5, "much", True, 10_000):
        with pytest.raises(ValueError, match="draft_budget"):
            generate(make_model(), [3], "pqd", draft_budget=budget)
    with pytest.raises(ValueError, match="draft_rule"):
        generate(make_model(), [3], "independent", draft_rule="likeliest")
    for method in ("ptp", "pqd", "independent"):
        with pytest.raises(ValueError, match="no PTP adapter"):
            generate(make_model(adapter=False), [3], method)


def test_notes_say_when_an_adapter_is_used_beside_its_purpose(make_model):
    blind = generate(make_model(), [3], "independent", max_new_tokens=3)
    assert "trained to read u" in " ".join(blind.notes)
    fair = generate(make_model(variant="independent", kind="blank"), [3], "independent", max_new_tokens=3)
    assert fair.notes == []
    other = generate(make_model(), [3], "pqd", sampling=SamplingConfig(order="token_id"), max_new_tokens=3)
    assert "order of probability" in " ".join(other.notes)
