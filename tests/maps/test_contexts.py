"""What was read once is not read again."""

from __future__ import annotations

from support.stories import long_story

from ptp_core import analysis
from ptp_core.maps.contexts import Contexts
from ptp_core.maps.position import Place


def test_a_known_context_is_not_read_again(tiny):
    trace = long_story(tiny)
    contexts = Contexts()
    analysis.distribution(tiny, trace, 9, contexts)
    before = contexts.calls
    for position in (9, 4, 0):
        assert Place(tiny, trace, position, contexts).calls == 1
    assert contexts.calls == before
