"""A small set of rows whose figures are known by hand."""

from ptp_core.benchmark.bounds import Drafter
from ptp_core.benchmark.rows import Call, CallBranch, Row

BRANCHES = Drafter("branches", 1, (0.5, 0.25), 2)


def branch(assumed, slots, kept, probability=0.5):
    return CallBranch(assumed, probability, slots, kept)


def make_row(calls, question="q", method="pqd", classes=None, entropy=None, margin=None):
    n = sum(c.emitted for c in calls)
    seconds = sum(c.ms for c in calls) / 1e3
    return Row(
        question, "x", method, n, len(calls), seconds, True, tokens=list(range(n)),
        entropy=entropy or [0.0] * n, margin=margin or [None] * n, classes=classes or "s" * n, calls=calls,
    )  # fmt: skip


def story():
    """Three calls, six tokens. The first prepares one branch of 4 slots, whose 3 drafts are verified by the second:
    two right, the third wrong. The second prepares branches for 2 (2 slots, kept), 0 and 3 (3 and 2 slots). The third
    verifies the kept one's single draft, right, and ends the text."""
    return make_row(
        [
            Call(0, 9, 50.0, 1, branches=[branch(0, 4, True, 1.0)], expected=0.8),
            Call(
                1, 11, 60.0, 3, 2, [0.9, 0.6, 0.3], "110",
                [branch(0, 3, False, 0.1), branch(2, 2, True, 0.4), branch(3, 2, False, 0.2)], 0.5,
            ),
            Call(4, 2, 40.0, 2, 1, [0.7], "1"),
        ],
        classes="scdpsw", entropy=[0.0, 0.2, 1.2, 2.5, 0.0, 3.5], margin=[None, 0.4, 0.02, 0.005, None, 0.1],
    )  # fmt: skip
