"""What a row says of its tokens."""

from ptp_core.benchmark.rows import token_classes


def test_token_classes():
    assert token_classes([" The", "ory", " 12", ",", "\n", "word", "⟨Ã⟩", "s", "'t", "é"]) == "scdpwsospc"
