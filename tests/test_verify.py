import pytest

from ptp_core import Verdict, verify


@pytest.mark.parametrize(
    ("drafts", "targets", "expected"),
    [
        ([1, 2, 3], [1, 2, 3, 4], Verdict(3, 4, "bonus")),
        ([9, 2, 3], [1, 2, 3, 4], Verdict(0, 1, "recovered")),
        ([1, 9, 3], [1, 2, 3, 4], Verdict(1, 2, "recovered")),  # right again behind a wrong one does not count
        ([1, 2, 9], [1, 2, 3, 4], Verdict(2, 3, "recovered")),
        ([], [5], Verdict(0, 5, "bonus")),
    ],
)
def test_ladder(drafts, targets, expected):
    assert verify(drafts, targets) == expected


@pytest.mark.parametrize(("drafts", "targets"), [([1], [1]), ([], []), ([1], [1, 2, 3])])
def test_wrong_lengths_are_refused(drafts, targets):
    with pytest.raises(ValueError, match="target tokens"):
        verify(drafts, targets)
