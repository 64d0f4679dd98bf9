"""What other libraries raise, as one sentence."""

import pytest

from ptp_core import SamplingConfig
from ptp_core.refusals import quoted, reason, refusing, sentence


def test_the_first_line_that_says_something():
    assert sentence(ImportError("\n\n  Needs bitsandbytes.\nRun pip.")) == "Needs bitsandbytes."
    assert sentence(KeyError("r")) == "KeyError: 'r'"
    assert sentence(AssertionError()) == "AssertionError"
    assert sentence(MemoryError()) == "MemoryError"
    assert reason(ValueError("x" * 1000)) == "x" * 300 + "..."


def test_errors_inside_become_one_sentence():
    with pytest.raises(ValueError, match=r"^The template fails: division by zero$"), refusing("The template fails"):
        _ = 1 / 0
    with pytest.raises(KeyError), refusing("Only types", TypeError):
        raise KeyError("x")


def test_long_values_are_cut_off():
    """A damaged file may hold a whole table where a number belongs."""
    assert quoted(3) == "3" and quoted("a") == "'a'"
    assert len(quoted({"a": list(range(1000))})) < 70
    with pytest.raises(ValueError, match="got ") as refused:
        SamplingConfig(top_k={"a": list(range(1000))})
    assert len(str(refused.value)) < 200
